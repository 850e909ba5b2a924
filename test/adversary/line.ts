/** Owns the network between one client and the server: a TCP proxy that can cut, reset, fall silent or stall. */
import { type AddressInfo, createServer, connect as open, type Server, type Socket } from "node:net";
import type { Random } from "./random.ts";

/** `close` and `reset` are noticed at once, `bytes` falls into the middle of a frame, `silence` has to be found out. */
export type Cut = "close" | "reset" | "bytes" | "silence";

const trafficWithinMs = 250;

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
  /** How many more bytes of the server's get through; then it is cut. */
  budget: number;
  onCut: () => void;
}

export class Line {
  readonly #listener: Server;
  readonly #pairs = new Set<Pair>();
  /** Every socket that is still open, those of silenced pairs too. */
  readonly #sockets = new Set<Socket>();
  #connections = 0;

  private constructor(listener: Server) {
    this.#listener = listener;
  }

  static async to(port: number): Promise<Line> {
    const listener = createServer({ noDelay: true });
    const line = new Line(listener);
    listener.on("connection", (client) => line.#join(client, port));
    await new Promise<void>((resolve) => listener.listen({ port: 0, host: "127.0.0.1" }, resolve));
    return line;
  }

  get address(): string {
    return `127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Connections that reached the server, over the whole run. */
  get connections(): number {
    return this.#connections;
  }

  get live(): boolean {
    return this.#pairs.size > 0;
  }

  /** Cuts a connection; resolves when it is cut. `bytes`: what still gets through before that. One has to be live. */
  async cut(how: Cut, bytes: number, random: Random): Promise<void> {
    const pair = random.pick([...this.#pairs]);
    if (how === "bytes") {
      const cut = Promise.withResolvers<void>();
      pair.onCut = cut.resolve;
      pair.budget = bytes;
      // One that is idle is cut where it is.
      const timer = setTimeout(() => pair.server.destroy(), trafficWithinMs);
      await cut.promise;
      clearTimeout(timer);
      return;
    }
    this.#pairs.delete(pair);
    if (how === "silence") {
      pair.client.pause();
      pair.server.pause();
    } else if (how === "reset") {
      pair.client.resetAndDestroy();
      pair.server.resetAndDestroy();
    } else {
      pair.client.destroy();
      pair.server.destroy();
    }
  }

  /** For a while nothing is read from the server, as by a reader that is busy; then everything gets through. */
  stall(ms: number): void {
    const stalled = [...this.#pairs];
    for (const { server } of stalled) server.pause();
    setTimeout(() => {
      for (const pair of stalled) if (this.#pairs.has(pair)) pair.server.resume();
    }, ms);
  }

  close(): void {
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(client: Socket, port: number): void {
    const server = open({ port, host: "127.0.0.1", noDelay: true });
    const pair: Pair = { client, server, budget: Number.POSITIVE_INFINITY, onCut: () => {} };
    server.once("connect", () => {
      this.#connections += 1;
      this.#pairs.add(pair);
    });
    client.on("data", (chunk) => {
      if (!server.write(chunk)) client.pause();
    });
    server.on("drain", () => client.resume());
    server.on("data", (chunk) => this.#forward(pair, chunk));
    client.on("drain", () => server.resume());
    const end = () => {
      this.#pairs.delete(pair);
      pair.onCut();
    };
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.on("error", end);
      socket.on("close", () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    // What was on its way to the client still arrives.
    server.on("close", () => client.end());
    client.on("close", () => server.destroy());
  }

  #forward(pair: Pair, chunk: Buffer): void {
    const { client, server } = pair;
    const allowed = chunk.subarray(0, pair.budget);
    pair.budget -= allowed.length;
    if (pair.budget === 0) {
      client.write(allowed);
      server.destroy();
    } else if (!client.write(allowed)) server.pause();
  }
}
