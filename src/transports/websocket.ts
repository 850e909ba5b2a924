/** Owns WebSocket connections from the upgrade to the close: the handshake, frame limits, heartbeats, and which wire a socket speaks. */
import type { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../core/clock.ts";
import type { Origin } from "../core/context.ts";
import { AppError, describeError, toErrorBody } from "../core/errors.ts";
import type { Feeds } from "../core/events/feed.ts";
import { nextRequestId } from "../core/random.ts";
import type { Services } from "../core/services.ts";
import { type CloseCode, type Connections, closeCodes, type Slot } from "./connections.ts";
import { FrameRate } from "./frame-rate.ts";
import { checkHost, parseTarget, readToken, single, type Target } from "./gate.ts";
import type { Cors } from "./http.ts";
import { PlainSocket } from "./plain.ts";
import type { SocketIo } from "./socket-io.ts";
import { announcesParams, isTrpcFrame, TrpcSocket } from "./trpc-ws.ts";

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
  readonly onError: (error: unknown, requestId: string) => void;
}

export interface WebSocketOptions extends SocketOptions {
  readonly socketIo: SocketIo;
}

const maxPayloadBytes = 64 * 1024;
const maxFragments = 64;
const heartbeatMs = 15_000;
/** How long a peer may take over its half of the close before the connection is cut. */
const closeGraceMs = 1_500;

/** One open WebSocket, whatever it speaks. */
export class Connection {
  readonly target: Target;
  readonly origin: Origin;
  readonly requestId: string;
  /** The token of the URL or the header. */
  readonly token: string | undefined;
  readonly slot: Slot;
  readonly options: SocketOptions;
  readonly #ws: WebSocket;
  readonly #socket: NetSocket;
  readonly #drainListeners = new Set<() => void>();
  #receive: (data: Buffer, isBinary: boolean) => void = () => {};
  readonly #rate: FrameRate;
  #alive = true;

  constructor(ws: WebSocket, socket: NetSocket, upgrade: Upgrade, options: SocketOptions) {
    this.#ws = ws;
    this.#socket = socket;
    this.options = options;
    this.#rate = new FrameRate(options.clock, options.limits.framesPerSecond);
    this.target = upgrade.target;
    this.origin = upgrade.origin;
    this.requestId = upgrade.requestId;
    this.token = upgrade.token;
    this.slot = upgrade.slot;
    socket.on("drain", () => {
      for (const listener of this.#drainListeners) listener();
    });
    ws.on("pong", () => {
      this.#alive = true;
    });
    ws.on("message", (data: RawData, isBinary) => {
      this.#alive = true;
      if (!this.open) return;
      if (this.#rate.floods()) this.end(closeCodes.abuse, "too many frames");
      else this.#receive(data as Buffer, isBinary);
    });
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

  onDrain(listener: () => void): () => void {
    this.#drainListeners.add(listener);
    return () => this.#drainListeners.delete(listener);
  }

  /** Sends each frame from now on to `receive`; one receiver at a time. */
  onFrame(receive: (data: Buffer, isBinary: boolean) => void): void {
    this.#receive = receive;
  }

  onClose(listener: () => void): void {
    this.#ws.once("close", listener);
  }

  end(code: CloseCode, reason: string): void {
    this.#ws.close(code, reason);
    // A reader that was too slow gets its time to read up to the close frame.
    if (code !== closeCodes.tooSlow) this.options.clock.after(closeGraceMs, () => this.#ws.terminate());
  }

  /** Once a heartbeat: a peer that has answered nothing since the last one is gone. */
  beat(): void {
    if (!this.#alive) {
      this.#ws.terminate();
      return;
    }
    this.#alive = false;
    if (this.open) this.#ws.ping();
  }
}

/** An upgrade that has passed the gate. */
interface Upgrade {
  readonly target: Target;
  readonly origin: Origin;
  readonly requestId: string;
  readonly token: string | undefined;
  readonly slot: Slot;
}

function refuse(socket: Duplex, error: unknown, requestId: string): void {
  const description = describeError(error);
  const body = JSON.stringify(toErrorBody(description, requestId));
  const reasons: Record<number, string> = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    429: "Too Many Requests",
    503: "Service Unavailable",
  };
  const headers = [
    `HTTP/1.1 ${description.status} ${reasons[description.status] ?? "Error"}`,
    "Connection: close",
    "Content-Type: application/json; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Referrer-Policy: no-referrer",
    `X-Request-Id: ${requestId}`,
    ...(description.retryAfterSeconds === undefined ? [] : [`Retry-After: ${description.retryAfterSeconds}`]),
  ];
  socket.end(`${headers.join("\r\n")}\r\n\r\n${body}`);
}

/** Decides what a socket at `/` speaks: by its URL, or by its first frame; until then it hears as a plain one. */
function serveBare(connection: Connection): void {
  if (announcesParams(connection.target)) {
    new TrpcSocket(connection);
    return;
  }
  const plain = new PlainSocket(connection);
  connection.onFrame((data, isBinary) => {
    const text = isBinary ? "" : data.toString("utf8");
    // tRPC's keep-alive says nothing yet about what follows.
    if (text === "PING") return connection.write(TrpcSocket.pong);
    if (isTrpcFrame(text)) {
      plain.close();
      new TrpcSocket(connection).receive(data, isBinary);
    } else {
      connection.onFrame((next, nextIsBinary) => plain.receive(next, nextIsBinary));
      plain.receive(data, isBinary);
    }
  });
}

/** Serves WebSocket upgrades on any HTTP server; the same on both ports. */
export function createWebSockets(options: WebSocketOptions) {
  const { clock, connections, cors, originOf, draining, onError } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxPayloadBytes,
    maxFragments,
    maxBufferedChunks: 1_024,
  });
  const open = new Set<Connection>();
  const stopHeartbeat = clock.every(heartbeatMs, () => {
    for (const connection of open) connection.beat();
  });

  function admit(
    request: IncomingMessage,
    requestId: string,
  ): (Omit<Upgrade, "slot"> & { serve: (connection: Connection) => void }) | undefined {
    if (draining()) throw new AppError("SERVICE_UNAVAILABLE", "The server is stopping.", { retryAfterSeconds: 1 });
    checkHost(request);
    if (!cors.allows(request.headers.origin)) throw new AppError("FORBIDDEN", "This origin may not open sockets here.");
    const target = parseTarget(request.url ?? "/");
    const [first, ...rest] = target.segments;
    if (first === "socket.io" && rest.length === 0) return undefined;
    if (rest.length > 0 || (first !== undefined && first !== "trpc"))
      throw new AppError("NOT_FOUND", "There is no WebSocket at this path.");
    single(target.query, "cursor");
    const serve = first === "trpc" ? (connection: Connection) => void new TrpcSocket(connection) : serveBare;
    return { target, origin: originOf(request), requestId, token: readToken(request, target.query), serve };
  }

  server.on("wsClientError", (_error, socket) =>
    refuse(socket, new AppError("BAD_REQUEST", "This is no valid WebSocket handshake."), nextRequestId()),
  );

  return {
    get size() {
      return open.size;
    },
    stopHeartbeat,
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      const requestId = nextRequestId();
      socket.on("error", () => socket.destroy());
      try {
        const admitted = admit(request, requestId);
        if (!admitted) {
          options.socketIo.upgrade(request, socket, head);
          return;
        }
        const { serve, ...upgrade } = admitted;
        let connection: Connection | undefined;
        const slot = connections.open({
          address: upgrade.origin.address,
          caller: null,
          end: (code, reason) => connection?.end(code, reason),
        });
        if (!slot) throw new AppError("TOO_MANY_REQUESTS", "Too many connections from this address.", { retryAfterSeconds: 10 });
        socket.once("close", () => slot.close());
        server.handleUpgrade(request, socket, head, (ws) => {
          ws.on("error", () => {});
          connection = new Connection(ws, socket as NetSocket, { ...upgrade, slot }, options);
          open.add(connection);
          const opened = connection;
          ws.once("close", () => open.delete(opened));
          serve(connection);
        });
      } catch (error) {
        refuse(socket, error, requestId);
        if (describeError(error).code === "INTERNAL_SERVER_ERROR") onError(error, requestId);
      }
    },
  };
}
