/** Owns the plain WebSocket of the compatibility shim: named events as JSON text frames. It knows no event of the log by name. */
import type { Sink } from "../core/events/feed.ts";
import { plainText, plainWire, textFrame } from "../core/events/wires.ts";
import { readReading, Shim } from "./shim.ts";
import type { Connection } from "./socket.ts";

/** A frame as a client sends it: `{"event":…,"data":…}`. */
function parseFrame(data: Buffer): { event: string; data: unknown } | undefined {
  try {
    const frame: unknown = JSON.parse(data.toString("utf8"));
    if (typeof frame === "object" && frame !== null && "event" in frame && typeof frame.event === "string") {
      return { event: frame.event, data: "data" in frame ? frame.data : undefined };
    }
  } catch {
    // Not JSON: told like any other frame that is none of ours.
  }
  return undefined;
}

export class PlainSocket {
  readonly #shim: Shim<Buffer>;

  constructor(connection: Connection) {
    const sink: Sink<Buffer> = {
      get backlog() {
        return connection.backlog;
      },
      write: (frame) => connection.write(frame),
      tooSlow: () => connection.end(4008, "too slow"),
    };
    this.#shim = new Shim({
      options: connection.options,
      slot: connection.slot,
      origin: connection.origin,
      requestId: connection.requestId,
      wire: plainWire,
      sink,
      reading: readReading(connection.target.query),
      token: connection.token,
      emit: (event, payload, id) => connection.write(textFrame(plainText(event, payload, id))),
    });
    connection.onDrain(() => this.#shim.resume());
    connection.onClose(() => this.#shim.close({ lingering: true }));
  }

  receive(data: Buffer, isBinary: boolean): void {
    const frame = isBinary ? undefined : parseFrame(data);
    if (frame) this.#shim.receive(frame.event, frame.data);
    else this.#shim.refuseFrame();
  }

  /** The socket turned out to speak tRPC. */
  close(): void {
    this.#shim.close({ lingering: false });
  }
}
