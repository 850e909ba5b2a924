/** Owns the plain WebSocket of the compatibility shim: named events as JSON text frames. It knows no event of the log by name. */
import { plainWire } from "../../core/events/wires.ts";
import type { Protocol, WebSocketConnection } from "../socket/websocket-connection.ts";
import type { FeedRequest } from "./feed-request.ts";
import { Shim } from "./shim.ts";

/** A frame as a client sends it: `{"event":…,"data":…}`. */
function parseFrame(data: Buffer): { event: string; data: unknown } | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString("utf8"));
    if (typeof frame === "object" && frame !== null && "event" in frame && typeof frame.event === "string") {
      return { event: frame.event, data: "data" in frame ? frame.data : undefined };
    }
  } catch {
    // Not JSON: refused like any other frame that is no command.
  }
  return undefined;
}

export class PlainSocket implements Protocol {
  readonly #shim: Shim<Buffer>;

  constructor(connection: WebSocketConnection, feedRequest: FeedRequest) {
    const { options, token } = connection;
    this.#shim = new Shim({ options, connection, token, wire: plainWire, flow: connection, feedRequest });
  }

  receive(data: Buffer, isBinary: boolean): void {
    const frame = isBinary ? undefined : parseFrame(data);
    if (frame) this.#shim.receive(frame.event, frame.data);
    else this.#shim.refuseFrame();
  }

  resume(): void {
    this.#shim.resume();
  }

  closed(): void {
    this.#shim.close({ lingering: true });
  }

  /** The socket turned out to speak tRPC. */
  giveWay(): void {
    this.#shim.close({ lingering: false });
  }
}
