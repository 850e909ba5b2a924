/** Owns simulated time: processes that do one piece of work after the other, on cores that they share evenly. Times are microseconds. */

interface Work {
  left: number;
  readonly then: () => void;
}

/** Something single-threaded: what it is given waits for what it was given before. */
class SimulatedProcess {
  readonly #machine: Machine;
  readonly queue: Work[] = [];
  /** Processor time so far. */
  used = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  do(work: number, then: () => void): void {
    const wakes = this.queue.length === 0;
    if (wakes) this.#machine.running.add(this);
    this.queue.push({ left: Math.max(work, 0.001) + (wakes ? this.#machine.wakingCost : 0), then });
  }

  /** Before everything that waits. */
  doNext(work: number, then: () => void): void {
    if (this.queue.length === 0) this.do(work, then);
    else this.queue.splice(1, 0, { left: Math.max(work, 0.001), then });
  }
}

export type { SimulatedProcess };

export class Machine {
  readonly running = new Set<SimulatedProcess>();
  readonly #cores: number;
  readonly #crowding: number;
  readonly #delays: { readonly at: number; readonly then: () => void }[] = [];
  now = 0;

  /** `crowding`: what each process that wants a core and finds none adds to the work of one that wakes: it is in the way of its caches. */
  constructor(cores: number, crowding: number) {
    this.#cores = cores;
    this.#crowding = crowding;
  }

  /** What it costs to begin after having waited for work. */
  get wakingCost(): number {
    return this.#crowding * Math.max(0, this.running.size - this.#cores);
  }

  /** Whether one that wakes would find a core, these two apart: the one that wakes and the one that wakes it. */
  hasFreeCore(waking: SimulatedProcess, by: SimulatedProcess): boolean {
    const others = this.running.size - Number(this.running.has(waking)) - Number(this.running.has(by));
    return others + 1 < this.#cores;
  }

  process(): SimulatedProcess {
    return new SimulatedProcess(this);
  }

  /** What takes time and no core: the disk. */
  after(delay: number, then: () => void): void {
    this.#delays.push({ at: this.now + delay, then });
  }

  run(until: number): void {
    while (this.now < until && (this.running.size > 0 || this.#delays.length > 0)) this.#step();
  }

  /** To the end of whatever ends first. */
  #step(): void {
    const speed = Math.min(1, this.#cores / this.running.size);
    let next: SimulatedProcess | undefined;
    for (const process of this.running) if (!next || left(process) < left(next)) next = process;
    const delay = this.#delays.reduce<number | undefined>(
      (first, { at }, index) => (first === undefined || at < (this.#delays[first]?.at ?? 0) ? index : first),
      undefined,
    );
    const workEndsAt = next ? this.now + left(next) / speed : Number.POSITIVE_INFINITY;
    const delayEndsAt = delay === undefined ? Number.POSITIVE_INFINITY : (this.#delays[delay]?.at ?? 0);
    const passed = Math.min(workEndsAt, delayEndsAt) - this.now;
    for (const process of this.running) {
      process.used += passed * speed;
      if (process.queue[0]) process.queue[0].left -= passed * speed;
    }
    this.now += passed;
    if (delayEndsAt <= workEndsAt && delay !== undefined) this.#delays.splice(delay, 1)[0]?.then();
    else if (next) {
      const work = next.queue.shift();
      if (next.queue.length === 0) this.running.delete(next);
      work?.then();
    }
  }
}

const left = ({ queue }: SimulatedProcess) => queue[0]?.left ?? Number.POSITIVE_INFINITY;

/** A row that one holds at a time, in the order in which they asked. */
export class Row {
  readonly #waiting: (() => void)[] = [];
  #held = false;

  acquire(then: () => void): void {
    if (this.#held) this.#waiting.push(then);
    else {
      this.#held = true;
      then();
    }
  }

  release(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#held = false;
  }
}
