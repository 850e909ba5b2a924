/** A wire between two programs that a test can cut, slow down or swallow. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * `pass`: as if it were not there. `cut`: nobody is let through, and who was is thrown out. `swallow`: connections stay and open,
 * and nothing arrives. `swallow answers`: one way only. `freeze`: as the other side's machine that has stopped, goodbyes are not
 * heard either.
 */
export type WireState = "pass" | "cut" | "swallow" | "swallow answers" | "freeze";

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

export class TcpProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #state: WireState = "pass";
  /** The port new connections lead to. */
  target: number;
  #onQuestion: ((data: Buffer) => boolean) | undefined;

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

  /** Lets the next question that matches through, and cuts its connection before the answer. Resolves when that has happened. */
  loseAnswer(matches: (question: string) => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#onQuestion = (data) => {
        if (!matches(data.toString("latin1"))) return false;
        this.#onQuestion = undefined;
        resolve();
        return true;
      };
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
    client.on("data", (data) => {
      if (this.#state === "swallow") return;
      server.write(data);
      // The answer comes on the other way, which is no more.
      if (this.#onQuestion?.(data)) server.end(() => client.destroy());
    });
    server.on("data", (data) => {
      if (this.#state === "pass" && !client.destroyed) client.write(data);
    });
  }
}

function destroy({ client, server }: Pair): void {
  client.destroy();
  server.destroy();
}
