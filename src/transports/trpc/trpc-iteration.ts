/** Owns a subscription over a tRPC socket that is iterated, no faster than its client takes it: any but `events`, which a feed writes. */
import { isTrackedEnvelope } from "@trpc/server";

interface IterationOptions {
  /** Bytes that wait in this process for the client. */
  readonly backlog: () => number;
  readonly highWaterBytes: number;
  /** Writes the result of a frame. */
  readonly send: (result: object) => void;
}

export class Iteration {
  readonly #options: IterationOptions;
  readonly #stop = new AbortController();
  #wake = () => {};

  constructor(options: IterationOptions) {
    this.#options = options;
  }

  /** The client has stopped it, or is gone. What a procedure iterates ends with its signal. */
  close(): void {
    this.#stop.abort();
    this.#wake();
  }

  /** The client has taken what waited for it. */
  resume(): void {
    this.#wake();
  }

  /** Resolves at its end, whichever side brought it about. @throws whatever the procedure throws before it was stopped. */
  async run(subscribe: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    const { signal } = this.#stop;
    try {
      await this.#iterate((await subscribe(signal)) as AsyncIterable<unknown>, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    this.#options.send({ type: "stopped" });
  }

  async #iterate(items: AsyncIterable<unknown>, signal: AbortSignal): Promise<void> {
    const { send } = this.#options;
    if (signal.aborted) return;
    send({ type: "started" });
    for await (const item of items) {
      if (signal.aborted) return;
      if (isTrackedEnvelope(item)) send({ type: "data", id: item[0], data: { id: item[0], data: item[1] } });
      else send({ type: "data", data: item });
      await this.#room(signal);
    }
  }

  async #room(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#options.backlog() > this.#options.highWaterBytes)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
  }
}
