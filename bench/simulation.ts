/** Owns the simulation: who posts, nodes, the counter row and readers, as a handful of queues with the measured costs. */
import { Machine, Row, type SimulatedProcess } from "./simulated-machine.ts";

/** What something costs each time, and for each message in it: microseconds of processor time. */
export interface Cost {
  readonly each: number;
  readonly message: number;
}

export interface Costs {
  /** A node's commit, with everything about its messages but their delivery. */
  readonly commit: Cost;
  /** PostgreSQL's part of it. */
  readonly transaction: Cost;
  /** What a transaction waits beside that work: the disk's flush, and the ways between the processes. It holds the counter row. */
  readonly waiting: number;
  /** A node's look at what others have committed, and PostgreSQL's part of it. */
  readonly look: Cost;
  readonly lookUp: Cost;
  /** What one reader gets of a commit: a write to its socket, and each message in it; and what that costs the reader's own end. */
  readonly delivery: Cost;
  readonly reading: Cost;
  /** What of a write to a reader is waking its end; not where that finds no core, and sleeps on until there is more to read. */
  readonly rousing: number;
  /** A reader whom a commit does not concern. */
  readonly passing: number;
  /** A poster, for each message. */
  readonly posting: number;
  /** What each process that wants a core and finds none adds to the work of one that wakes. Nothing where cores are not shared. */
  readonly crowding: number;
}

export interface Installation {
  readonly nodes: number;
  /** Posts under way at once, over all nodes. */
  readonly inFlight: number;
  /** Readers that are connected, over all nodes: each of one channel, all channels alike. */
  readonly members: number;
  readonly channels: number;
  /** What nodes, PostgreSQL, load and readers share. Undefined: each has a core of its own. */
  readonly cores?: number;
}

export interface Forecast {
  readonly messagesPerSecond: number;
  readonly messagesPerCommit: number;
  /** Of all nodes together. */
  readonly nodesMicrosecondsPerMessage: number;
  /** Of the time that passes: how long the counter row is held, and the busiest node's core is in use. */
  readonly rowShare: number;
  readonly coreShare: number;
}

/** What has been counted since the warm-up. */
interface Tally {
  messages: number;
  commits: number;
  held: number;
}

const warmUpUs = 500_000;
const measuredUs = 1_500_000;
const maxBatch = 1_000;
/**
 * How a node's work falls before, in and after the time that it holds the row. Of a message: reading the request, making rows,
 * answering. Of a commit: sending what locks and looks, sending what inserts, hearing that it is done. Estimates; they move the
 * row's end a little, and no sum.
 */
const ofMessage = { before: 0.4, within: 0.2, after: 0.4 };
const ofCommit = { before: 0.35, within: 0.3, after: 0.35 };
/** PostgreSQL's part of a transaction before it is told what to insert. */
const looking = 0.4;

class SimulatedNode {
  readonly #world: World;
  readonly #process: SimulatedProcess;
  readonly #writing: SimulatedProcess;
  readonly #reading: SimulatedProcess;
  #waiting = 0;
  #busy = false;
  #head = 0;
  #looking: "no" | "yes" | "again" = "no";

  constructor(world: World) {
    this.#world = world;
    this.#process = world.machine.process();
    this.#writing = world.machine.process();
    this.#reading = world.machine.process();
  }

  /** Processor time so far. */
  get used(): number {
    return this.#process.used;
  }

  request(): void {
    this.#process.do(ofMessage.before * this.#world.costs.commit.message, () => {
      this.#waiting += 1;
      if (!this.#busy) this.#commit();
    });
  }

  #commit(): void {
    this.#busy = true;
    const begin = () => {
      const batch = Math.min(this.#waiting, maxBatch);
      this.#waiting -= batch;
      this.#world.row.acquire(() => this.#transact(batch));
    };
    // A turn of the event loop later: what has come in by then goes along, what comes in behind it does not.
    this.#process.doNext(ofCommit.before * this.#world.costs.commit.each, begin);
  }

  /** While it holds the row: PostgreSQL finds, the node makes rows, PostgreSQL inserts, the disk flushes. */
  #transact(batch: number): void {
    const { costs, machine, tally } = this.#world;
    const { commit, transaction, waiting } = costs;
    const since = machine.now;
    const done = () => {
      tally.held += machine.now - since;
      this.#committed(batch);
    };
    const flush = () => machine.after(waiting, done);
    const insert = () => this.#writing.do((1 - looking) * transaction.each + transaction.message * batch, flush);
    const makeRows = () => this.#process.do(ofCommit.within * commit.each + ofMessage.within * commit.message * batch, insert);
    this.#writing.do(looking * transaction.each, makeRows);
  }

  #committed(batch: number): void {
    const world = this.#world;
    const level = this.#head === world.head;
    world.head += batch;
    world.tally.messages += batch;
    world.tally.commits += 1;
    world.row.release();
    if (level) this.#head = world.head;
    const { commit } = world.costs;
    const hearing = ofCommit.after * commit.each + ofMessage.after * commit.message * batch;
    this.#process.do(hearing + (level ? this.#deliver(batch) : 0), () => {
      for (let answered = 0; answered < batch; answered += 1) world.answered(this);
      if (this.#waiting > 0) this.#commit();
      else this.#busy = false;
    });
    if (!level) this.look();
    for (const node of world.nodes) if (node !== this) node.look();
  }

  /** One look serves all who ask before it begins. */
  look(): void {
    if (this.#looking !== "no") {
      this.#looking = "again";
      return;
    }
    this.#looking = "yes";
    const { look, lookUp } = this.#world.costs;
    const found = this.#world.head - this.#head;
    this.#reading.do(lookUp.each + lookUp.message * found, () => {
      // Its own commit may have come first.
      const fresh = Math.max(0, this.#world.head - this.#head);
      this.#head = this.#world.head;
      this.#process.do(look.each + look.message * fresh + this.#deliver(fresh), () => {
        const again = this.#looking === "again";
        this.#looking = "no";
        if (again) this.look();
      });
    });
  }

  /** What it costs to write some messages, committed together, to this node's readers. */
  #deliver(messages: number): number {
    if (messages === 0) return 0;
    const { costs, installation, machine, readersEnd } = this.#world;
    const { members, channels, nodes } = installation;
    const inChannel = members / channels / nodes;
    /** Readers of a channel get what is theirs in one write; of few messages hardly two are of one channel. */
    const writes = channels * (1 - (1 - 1 / channels) ** messages) * inChannel;
    const of = ({ each, message }: Cost) => writes * each + messages * inChannel * message;
    readersEnd.do(of(costs.reading), () => {});
    const roused = machine.hasFreeCore(readersEnd, this.#process) ? writes : 0;
    return of(costs.delivery) + roused * costs.rousing + (members / nodes - writes) * costs.passing;
  }
}

class World {
  readonly costs: Costs;
  readonly installation: Installation;
  readonly machine: Machine;
  readonly row = new Row();
  readonly nodes: readonly SimulatedNode[];
  readonly readersEnd: SimulatedProcess;
  readonly #load: SimulatedProcess;
  tally: Tally = { messages: 0, commits: 0, held: 0 };
  head = 0;

  constructor(costs: Costs, installation: Installation) {
    this.costs = costs;
    this.installation = installation;
    this.machine = new Machine(installation.cores ?? Number.POSITIVE_INFINITY, costs.crowding);
    this.#load = this.machine.process();
    this.readersEnd = this.machine.process();
    this.nodes = Array.from({ length: installation.nodes }, () => new SimulatedNode(this));
    for (let post = 0; post < installation.inFlight; post += 1) {
      const node = this.nodes[post % this.nodes.length];
      if (node) this.answered(node);
    }
  }

  /** A poster with an answer posts again. Where cores are counted it is one process that does, as in the bench. */
  answered(node: SimulatedNode): void {
    if (this.installation.cores === undefined) node.request();
    else this.#load.do(this.costs.posting, () => node.request());
  }
}

export function forecast(costs: Costs, installation: Installation): Forecast {
  const world = new World(costs, installation);
  world.machine.run(warmUpUs);
  const startedAt = world.machine.now;
  world.tally = { messages: 0, commits: 0, held: 0 };
  const before = world.nodes.map(({ used }) => used);
  world.machine.run(startedAt + measuredUs);
  const passed = world.machine.now - startedAt;
  const { messages, commits, held } = world.tally;
  const used = world.nodes.map((node, index) => node.used - (before[index] ?? 0));
  return {
    messagesPerSecond: (messages * 1_000_000) / passed,
    messagesPerCommit: messages / commits,
    nodesMicrosecondsPerMessage: used.reduce((sum, work) => sum + work, 0) / messages,
    rowShare: held / passed,
    coreShare: Math.max(...used) / passed,
  };
}
