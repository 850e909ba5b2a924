/** Owns one open WebSocket: its frames in and out, its heartbeat, its end. What it speaks is its protocol's to know. */
import type { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import type { RawData, WebSocket } from "ws";
import type { Origin } from "../../core/caller.ts";
import type { Clock } from "../../core/clock.ts";
import type { Sink } from "../../core/events/feed.ts";
import type { Feeds } from "../../core/events/feeds.ts";
import { closeWithinMs, maxUnreadBytes } from "../../core/limits.ts";
import type { Services } from "../../core/services.ts";
import type { Target } from "../http/gate.ts";
import type { Cors } from "../http/http.ts";
import { type CloseCode, Connection, type Connections, closeCodes } from "./connections.ts";
import { FrameRate } from "./frame-rate.ts";

export interface SocketLimits {
  readonly subscriptionsPerSocket: number;
  readonly callsPerSocket: number;
  readonly framesPerSecond: number;
}

export interface SocketOptions {
  readonly services: Services;
  readonly feeds: Feeds;
  readonly connections: Connections;
  readonly clock: Clock;
  readonly cors: Cors;
  readonly limits: SocketLimits;
  readonly originOf: (request: IncomingMessage) => Origin;
  readonly draining: () => boolean;
  /** @throws AppError where too many answers wait to be read. */
  readonly admit: (address: string) => void;
  readonly onError: (error: unknown, requestId: string) => void;
}

/** Heartbeats a peer may miss while it takes nothing; its feeds end it sooner, when there is much for it. */
const maxStalledBeats = 3;

/** An upgrade that has passed the gate. */
export interface Upgrade {
  readonly target: Target;
  readonly origin: Origin;
  readonly requestId: string;
  readonly token: string | undefined;
}

/** What an open WebSocket speaks. Methods, not listeners: a connection that is idle should cost little. */
export interface Protocol {
  receive(data: Buffer, isBinary: boolean): void;
  /** The peer has taken what waited for it. */
  resume(): void;
  closed(): void;
}

const silence: Protocol = { receive() {}, resume() {}, closed() {} };

/** One open WebSocket, whatever it speaks. */
export class WebSocketConnection extends Connection implements Sink<Buffer> {
  /** The token of the URL or the header. */
  readonly token: string | undefined;
  readonly options: SocketOptions;
  readonly #ws: WebSocket;
  readonly #socket: NetSocket;
  #protocol = silence;
  readonly #rate: FrameRate;
  /** Whether its protocol has enough to do. */
  #held = false;
  #alive = true;
  /** Of the last heartbeat: what had gone out by then, whether more was waiting, and for how many nothing has moved. */
  #taken = 0;
  #stalled = false;
  #stalledBeats = 0;

  constructor(ws: WebSocket, socket: NetSocket, upgrade: Upgrade, options: SocketOptions) {
    super(options.connections, upgrade);
    this.#ws = ws;
    this.#socket = socket;
    this.options = options;
    this.#rate = new FrameRate(options.clock, options.limits.framesPerSecond);
    this.token = upgrade.token;
    socket.on("close", () => this.leave());
    socket.on("drain", () => {
      if (ws.isPaused && !this.#held) ws.resume();
      this.#protocol.resume();
    });
    const hear = () => this.#hear();
    ws.on("ping", hear);
    ws.on("pong", hear);
    ws.on("message", (data: RawData, isBinary) => {
      if (this.#hear()) this.#protocol.receive(data as Buffer, isBinary);
    });
    ws.on("close", () => this.#protocol.closed());
  }

  /** Whether a frame that came in is to be looked at. */
  #hear(): boolean {
    this.#alive = true;
    if (!this.open) return false;
    if (this.#rate.floods()) {
      this.end(closeCodes.abuse, "too many frames");
      return false;
    }
    // A client that does not take its answers is not read from either, so that they cannot pile up.
    if (this.backlog > maxUnreadBytes) this.#ws.pause();
    return true;
  }

  get open(): boolean {
    return this.#ws.readyState === this.#ws.OPEN;
  }

  /** Bytes that wait in this process for the peer. */
  get backlog(): number {
    return this.#socket.writableLength;
  }

  /** Writes whole frames in one call; ws itself writes frame by frame. Compression is off, so the two never mix inside a frame. */
  write(frames: Buffer): void {
    if (this.open) this.#socket.write(frames);
  }

  /** Reads no more until `resume`: what the peer sends waits on its side. */
  pause(): void {
    this.#held = true;
    this.#ws.pause();
  }

  resume(): void {
    this.#held = false;
    if (this.backlog <= maxUnreadBytes) this.#ws.resume();
  }

  /** From now on this protocol handles the socket's frames. */
  speak(protocol: Protocol): void {
    this.#protocol = protocol;
  }

  tooSlow(): void {
    this.end(closeCodes.tooSlow, "too slow");
  }

  override end(code: CloseCode, reason: string): void {
    this.#ws.close(code, reason);
    // A reader that was too slow gets its time to read up to the close frame.
    if (code !== closeCodes.tooSlow)
      this.#ws.once(
        "close",
        this.options.clock.after(closeWithinMs, () => this.#ws.terminate()),
      );
  }

  /**
   * Once a heartbeat: a peer that has answered nothing since the last one is gone. Only one that cannot have seen the
   * ping, because other bytes wait before it, is given more time.
   */
  override beat(): void {
    const taken = this.#socket.bytesWritten - this.backlog;
    this.#stalledBeats = this.#alive || taken !== this.#taken ? 0 : this.#stalledBeats + 1;
    const stalled = this.backlog > 0;
    if (!this.#alive && ((!stalled && !this.#stalled) || this.#stalledBeats > maxStalledBeats)) {
      this.#ws.terminate();
      return;
    }
    this.#taken = taken;
    this.#stalled = stalled;
    this.#alive = false;
    if (this.open) this.#ws.ping();
  }
}
