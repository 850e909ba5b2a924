/** A tRPC WebSocket whose frames the test writes itself. https://trpc.io/docs/rpc */
import { WebSocket } from "ws";
import { Inbox, within } from "./wait.ts";

/** What of an answer's data the tests look at: of a call, of a list of users, or of an event. */
interface Data {
  readonly id?: number;
  readonly title?: string;
  readonly users?: readonly number[];
  readonly data?: { readonly event?: string; readonly data?: { readonly message_text?: string } };
}

export interface TrpcFrame {
  readonly id: number | string | null;
  /** `started` and `stopped` have no data. */
  readonly result?: { readonly type: "data" | "started" | "stopped"; readonly data?: Data };
  readonly error?: { readonly data: { readonly code: string } };
}

export class TrpcSocket {
  readonly inbox = new Inbox<TrpcFrame>();
  readonly pongs = new Inbox<string>();
  readonly ws: WebSocket;
  readonly closed: Promise<number>;

  private constructor(url: string, options: { headers?: Record<string, string>; autoPong?: boolean }) {
    this.ws = new WebSocket(url, options);
    this.ws.on("message", (data) => {
      const text = String(data);
      if (text === "PONG") this.pongs.push(text);
      else this.inbox.push(JSON.parse(text) as TrpcFrame);
    });
    this.ws.on("error", () => {});
    this.closed = new Promise((resolve) => this.ws.once("close", resolve));
  }

  static async open(url: string, options: { headers?: Record<string, string>; autoPong?: boolean } = {}): Promise<TrpcSocket> {
    const socket = new TrpcSocket(url, options);
    await within(10_000, "opening", new Promise((resolve) => socket.ws.once("open", resolve)));
    return socket;
  }

  /** Text goes as it is. */
  send(frame: unknown): void {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  async close(): Promise<void> {
    this.ws.close();
    await this.closed;
  }
}
