/** A connection between two programs that a test can cut, slow down or make silent. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * `pass`: as if it were not there. `cut`: closes all connections and accepts none. `swallow`: connections stay and open,
 * and nothing arrives. `swallow questions`, `swallow answers`: one way only. `freeze`: as if the machine of the other side had
 * stopped, so closes do not arrive either.
 */
export type WireState = "pass" | "cut" | "swallow" | "swallow questions" | "swallow answers" | "freeze";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

interface Loss {
  readonly what: "question" | "answer";
  readonly matches: (question: string) => boolean;
  readonly isAnswer: (data: string) => boolean;
  readonly done: () => void;
}

/** One way of a connection: what goes in comes out later, in order. */
class Lane {
  readonly #to: Socket;
  #last = Promise.resolve();

  constructor(to: Socket) {
    this.#to = to;
  }

  carry(data: Buffer, delayMs: number): void {
    const dueAt = performance.now() + delayMs;
    this.#last = this.#last.then(async () => {
      const restMs = dueAt - performance.now();
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
      if (!this.#to.destroyed) this.#to.write(data);
    });
  }
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #state: WireState = "pass";
  /** The port new connections lead to. */
  target: number;
  /** How long each way takes. */
  delayMs = 0;
  #loss: Loss | undefined;
  /** Sees what a client sends, a piece at a time. */
  onQuestion: (data: Buffer, client: object) => void = () => {};

  private constructor(server: Server, target: number) {
    this.#server = server;
    this.target = target;
  }

  static async start(port: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: false });
    const proxy = new TcpProxy(server, port);
    server.on("connection", (client) => proxy.#accept(client));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  set(state: WireState): void {
    this.#state = state;
    for (const pair of this.#pairs) {
      if (state === "cut") destroy(pair);
      else if (state === "freeze") pair.client.pause();
      else pair.client.resume();
    }
  }

  /**
   * Cuts the connection of the next question that matches: before it arrives, or before its answer does. The first data that come
   * back are the answer, unless `isAnswer` says better. Resolves when that has happened.
   */
  lose(
    what: "question" | "answer",
    matches: (question: string) => boolean,
    isAnswer: (data: string) => boolean = () => true,
  ): Promise<void> {
    return new Promise((resolve) => {
      this.#loss = { what, matches, isAnswer, done: resolve };
    });
  }

  async close(): Promise<void> {
    this.set("cut");
    this.#server.close();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    client.on("error", () => {});
    if (this.#state === "cut") {
      client.destroy();
      return;
    }
    const server = connect(this.target, "127.0.0.1");
    server.on("error", () => {});
    const pair = { client, server };
    this.#pairs.add(pair);
    const end = () => {
      destroy(pair);
      this.#pairs.delete(pair);
    };
    client.on("close", end);
    server.on("close", end);
    let losing: Loss | undefined;
    const lose = () => {
      end();
      losing?.done();
    };
    const [there, back] = [new Lane(server), new Lane(client)];
    client.on("data", (data) => {
      if (this.#state === "swallow" || this.#state === "swallow questions") return;
      if (this.#loss?.matches(data.toString("latin1"))) {
        losing = this.#loss;
        this.#loss = undefined;
      }
      if (losing?.what === "question") lose();
      else {
        this.onQuestion(data, client);
        there.carry(data, this.delayMs);
      }
    });
    server.on("data", (data) => {
      if (losing) {
        if (losing.isAnswer(data.toString("latin1"))) lose();
      } else if (this.#state === "pass" || this.#state === "swallow questions") back.carry(data, this.delayMs);
    });
  }
}

function destroy({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}
