/** Owns the simulation: who posts, nodes, the counter row and readers, as a handful of queues with the measured costs. */
import type { Constants, Cost } from "./constants.ts";
import { Machine, Row, type SimulatedProcess } from "./queues.ts";

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
  readonly nodes: number[];
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
  readonly #index: number;
  readonly #process: SimulatedProcess;
  readonly #writing: SimulatedProcess;
  readonly #reading: SimulatedProcess;
  #waiting = 0;
  #busy = false;
  #head = 0;
  #looking: "no" | "yes" | "again" = "no";

  constructor(world: World, index: number) {
    this.#world = world;
    this.#index = index;
    this.#process = world.machine.process();
    this.#writing = world.machine.process();
    this.#reading = world.machine.process();
  }

  #do(work: number, then: () => void, order: "do" | "doNext" = "do"): void {
    this.#process[order](work, () => {
      this.#world.tally.nodes[this.#index] = (this.#world.tally.nodes[this.#index] ?? 0) + work;
      then();
    });
  }

  request(): void {
    this.#do(ofMessage.before * this.#world.constants.commit.message, () => {
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
    this.#do(ofCommit.before * this.#world.constants.commit.each, begin, "doNext");
  }

  /** While it holds the row: PostgreSQL finds, the node makes rows, PostgreSQL inserts, the disk flushes. */
  #transact(batch: number): void {
    const { constants, machine, tally } = this.#world;
    const { commit, transaction, waiting } = constants;
    const since = machine.now;
    const done = () => {
      tally.held += machine.now - since;
      this.#committed(batch);
    };
    const flush = () => machine.after(waiting, done);
    const insert = () => this.#writing.do((1 - looking) * transaction.each + transaction.message * batch, flush);
    const makeRows = () => this.#do(ofCommit.within * commit.each + ofMessage.within * commit.message * batch, insert);
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
    const { commit } = world.constants;
    const hearing = ofCommit.after * commit.each + ofMessage.after * commit.message * batch;
    this.#do(hearing + (level ? this.#deliver(batch) : 0), () => {
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
    const { look, lookUp } = this.#world.constants;
    const found = this.#world.head - this.#head;
    this.#reading.do(lookUp.each + lookUp.message * found, () => {
      // Its own commit may have come first.
      const fresh = Math.max(0, this.#world.head - this.#head);
      this.#head = this.#world.head;
      this.#do(look.each + look.message * fresh + this.#deliver(fresh), () => {
        const again = this.#looking === "again";
        this.#looking = "no";
        if (again) this.look();
      });
    });
  }

  /** What it costs to write some messages, committed together, to this node's readers. */
  #deliver(messages: number): number {
    if (messages === 0) return 0;
    const { constants, installation, readersEnd } = this.#world;
    const { members, channels, nodes } = installation;
    const inChannel = members / channels / nodes;
    /** Readers of a channel get what is theirs in one write; of few messages hardly two are of one channel. */
    const writes = channels * (1 - (1 - 1 / channels) ** messages) * inChannel;
    const of = ({ each, message }: Cost) => writes * each + messages * inChannel * message;
    readersEnd.do(of(constants.reading), () => {});
    return of(constants.delivery) + (members / nodes - writes) * constants.passing;
  }
}

class World {
  readonly constants: Constants;
  readonly installation: Installation;
  readonly machine: Machine;
  readonly row = new Row();
  readonly nodes: readonly SimulatedNode[];
  readonly readersEnd: SimulatedProcess;
  readonly #load: SimulatedProcess;
  tally: Tally = { messages: 0, commits: 0, held: 0, nodes: [] };
  head = 0;

  constructor(constants: Constants, installation: Installation) {
    this.constants = constants;
    this.installation = installation;
    this.machine = new Machine(installation.cores ?? Number.POSITIVE_INFINITY);
    this.#load = this.machine.process();
    this.readersEnd = this.machine.process();
    this.nodes = Array.from({ length: installation.nodes }, (_, index) => new SimulatedNode(this, index));
    for (let post = 0; post < installation.inFlight; post += 1) {
      const node = this.nodes[post % this.nodes.length];
      if (node) this.answered(node);
    }
  }

  /** Whoever has an answer posts again. Where cores are counted it is one process that does, as in the bench. */
  answered(node: SimulatedNode): void {
    if (this.installation.cores === undefined) node.request();
    else this.#load.do(this.constants.posting, () => node.request());
  }
}

export function forecast(constants: Constants, installation: Installation): Forecast {
  const world = new World(constants, installation);
  world.machine.run(warmUpUs);
  const startedAt = world.machine.now;
  world.tally = { messages: 0, commits: 0, held: 0, nodes: [] };
  world.machine.run(startedAt + measuredUs);
  const passed = world.machine.now - startedAt;
  const { messages, commits, held, nodes } = world.tally;
  return {
    messagesPerSecond: (messages * 1_000_000) / passed,
    messagesPerCommit: messages / commits,
    nodesMicrosecondsPerMessage: nodes.reduce((sum, work) => sum + work, 0) / messages,
    rowShare: held / passed,
    coreShare: Math.max(...nodes) / passed,
  };
}
