/** Owns Socket.IO, majors 1 to 4 of its clients: the library speaks the protocol, the shim and the feed are those of the plain wire. */
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { Server, type Socket } from "socket.io";
import { Decoder, Encoder, PacketType } from "socket.io-parser";
import { AppError, describeError } from "../../core/errors.ts";
import type { Sink, Wire } from "../../core/events/feed.ts";
import { closeWithinMs, heartbeatMs, identifyWithinMs, maxBodyBytes, maxUnreadBytes } from "../../core/limits.ts";
import { nextRequestId } from "../../core/random.ts";
import { parseTarget, readToken } from "../http/gate.ts";
import { type Exchange, sendOptions } from "../http/http.ts";
import { type CloseCode, Connection, closeCodes } from "../socket/connections.ts";
import { FrameRate } from "../socket/frame-rate.ts";
import type { SocketOptions } from "../socket/websocket-connection.ts";
import { readFeedRequest } from "./feed-request.ts";
import { type Acknowledge, Shim } from "./shim.ts";

/** What the library leaves untyped: its engine, and a transport's readiness. */
interface Engine {
  handleRequest(request: IncomingMessage, response: ServerResponse): void;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  close(): void;
}
interface Transport {
  readonly name: string;
  readonly writable: boolean;
  on(event: "ready", listener: () => void): void;
  readonly socket?: { close(code: number, reason: string): void; terminate(): void };
}

type Conn = Socket["conn"];

/** What a packet that cannot be read is passed on as, in the place of an event; a client may send the same name, to the same end. */
const brokenFrame = "\0broken frame";
/** The number of an event that asks to be acknowledged, in front of what cannot be read of it. */
const acknowledgedEvent = /^(?:2|5\d{1,2}-)(\d{1,15})/;

/** The library's own ends the connection over a packet it cannot read. */
class PatientDecoder extends Decoder {
  #connecting = true;

  override add(packet: unknown): void {
    const connecting = this.#connecting;
    this.#connecting = false;
    try {
      super.add(packet);
    } catch {
      // The rest of a packet in parts would make the packets after it unreadable, too.
      this.destroy();
      const text = typeof packet === "string" ? packet : "";
      if (connecting && text.startsWith("0")) this.emitReserved("decoded", { type: PacketType.CONNECT, nsp: "/", data: noToken });
      else {
        const id = acknowledgedEvent.exec(text)?.[1];
        this.emitReserved("decoded", { type: PacketType.EVENT, nsp: "/", data: [brokenFrame], ...(id && { id: Number(id) }) });
      }
    }
  }
}

/** Replaces an `auth` that is no object. */
const noToken = { token: null };

/**
 * The token of a handshake, by the client's `auth` option or by the first request, as the client gave it.
 * @throws AppError BAD_REQUEST where two are given and differ.
 */
function readHandshakeToken({ request, handshake }: Socket): unknown {
  const auth: object = handshake.auth;
  const given = ["token", "auth"].flatMap((name) => (Object.hasOwn(auth, name) ? [(auth as Record<string, unknown>)[name]] : []));
  const fromRequest = readToken(request, parseTarget(request.url ?? "/").query);
  const [token, ...others] = fromRequest === undefined ? given : [fromRequest, ...given];
  if (others.some((other) => other !== token))
    throw new AppError("BAD_REQUEST", "The tokens of the handshake's auth and the request differ.");
  return token;
}

/** An event packet of Socket.IO's protocol, the same text in every version of it: encoded once, sent to all. */
function packet(name: string, payload: string, id?: string): string {
  return `2[${JSON.stringify(name)},${payload}${id === undefined ? "" : `,"${id}"`}]`;
}

const socketIoWire: Wire<readonly string[]> = {
  shared: true,
  encode: (name, payload, id) => [packet(name, payload, id)],
  join: (frames) => frames.flat(),
};

function transportOf(conn: Conn): Transport {
  return conn.transport as unknown as Transport;
}

/** Whether the transport has taken everything. */
function isFree(conn: Conn): boolean {
  return transportOf(conn).writable && (conn as unknown as { writeBuffer: unknown[] }).writeBuffer.length === 0;
}

/**
 * One client. Nothing is handed over before the transport has taken what came before: the library's own buffer has no bound. What comes
 * in and what waits to go out is counted from the first packet on, the library's own answers too.
 */
class SocketIoConnection extends Connection implements Sink<readonly string[]> {
  readonly #conn: Conn;
  readonly #options: SocketOptions;
  #unsentCharacters = 0;

  constructor(conn: Conn, options: SocketOptions) {
    super(options.connections, { origin: options.originOf(conn.request), requestId: nextRequestId() });
    this.#conn = conn;
    this.#options = options;
    const rate = new FrameRate(options.clock, options.limits.framesPerSecond);
    conn.on("packet", () => rate.floods() && this.end(closeCodes.abuse, "too many frames"));
    conn.on("packetCreate", (packet: { data?: unknown }) => this.#countUnsent(packet));
    conn.on("close", () => this.leave());
  }

  get backlog(): number {
    return isFree(this.#conn) ? 0 : Number.POSITIVE_INFINITY;
  }

  write(packets: readonly string[]): void {
    for (const text of packets) this.#conn.send(text, { compress: false });
  }

  tooSlow(): void {
    this.end(closeCodes.tooSlow, "too slow");
  }

  override end(code: CloseCode, reason: string): void {
    const { socket: ws } = transportOf(this.#conn);
    // Over polling the library waits until all that is left was taken. A client that takes nothing, or floods, is cut.
    if (!ws) this.#conn.close(code === closeCodes.tooSlow || code === closeCodes.abuse);
    else ws.close(code, reason);
    if (code !== closeCodes.tooSlow) this.#cutSoon();
  }

  #countUnsent(packet: { data?: unknown }): void {
    this.#unsentCharacters = isFree(this.#conn) ? 0 : this.#unsentCharacters + String(packet.data ?? "").length;
    if (this.#unsentCharacters <= maxUnreadBytes) return;
    // The library does not stop to read, and keeps what it cannot send. For a client that takes nothing, nothing more is kept.
    delete packet.data;
    this.tooSlow();
    this.#cutSoon();
  }

  /** Ends the connection even if something is left to be taken. */
  #cutSoon(): void {
    const cancel = this.#options.clock.after(closeWithinMs, () => {
      const { socket: ws } = transportOf(this.#conn);
      if (ws) ws.terminate();
      else this.#conn.close(true);
    });
    this.#conn.on("close", cancel);
  }
}

/** Serves a client that has come into the namespace. */
function serve(socket: Socket, connection: SocketIoConnection, options: SocketOptions): void {
  const { conn, request } = socket;
  const { query } = parseTarget(request.url ?? "/");
  const shim = new Shim({
    options,
    connection,
    wire: socketIoWire,
    feedRequest: readFeedRequest(query),
    token: readHandshakeToken(socket),
  });

  const resumeWhenReady = () => transportOf(conn).on("ready", () => shim.resume());
  resumeWhenReady();
  conn.on("upgrade", () => {
    resumeWhenReady();
    shim.resume();
  });
  socket.onAny((event: string, ...values: unknown[]) => {
    const last = values.at(-1);
    // Behind the values there is a function where the client wants an acknowledgement; a client cannot send any.
    const acknowledge = typeof last === "function" ? (last as Acknowledge) : undefined;
    const [data] = acknowledge ? values.slice(0, -1) : values;
    if (event === brokenFrame) shim.refuseFrame(acknowledge);
    else shim.receive(event, data, acknowledge);
  });
  socket.on("disconnect", () => {
    shim.close({ lingering: true });
    // There is nothing else on this connection that it could be left for.
    conn.close();
  });
}

/** Serves `/socket.io/` on any HTTP server, requests and upgrades alike. */
export function createSocketIo(options: SocketOptions) {
  const { connections } = options;
  const io = new Server({
    parser: { Encoder, Decoder: PatientDecoder },
    serveClient: false,
    allowEIO3: true,
    destroyUpgrade: false,
    pingInterval: heartbeatMs,
    pingTimeout: heartbeatMs,
    connectTimeout: identifyWithinMs,
    maxHttpBufferSize: maxBodyBytes,
    perMessageDeflate: false,
    httpCompression: false,
  });
  // Attached to a server that never listens: requests come through the gate, which hands them to the engine.
  io.attach(new HttpServer());
  const engine = io.engine as unknown as Engine;

  /** Each from its first request on; none where its address has too many. */
  const opened = new WeakMap<Conn, SocketIoConnection>();
  io.engine.on("connection", (conn: Conn) => {
    const connection = new SocketIoConnection(conn, options);
    if (!connections.hasRoom(connection.origin.address)) {
      connection.end(closeCodes.abuse, "too many connections from this address");
      return;
    }
    connections.open(connection);
    opened.set(conn, connection);
  });
  io.use((socket, next) => {
    try {
      readHandshakeToken(socket);
      next();
    } catch (error) {
      const { message, code } = describeError(error);
      next(Object.assign(new Error(message), { data: { error: message, code } }));
    }
  });
  io.on("connection", (socket) => {
    const connection = opened.get(socket.conn);
    if (connection) serve(socket, connection, options);
  });

  /** Refuses, before the handshake, what the shim could not make sense of after it. */
  function check(request: IncomingMessage): void {
    const { query } = parseTarget(request.url ?? "/");
    readFeedRequest(query);
    readToken(request, query);
  }

  return {
    handle(exchange: Exchange): void {
      if (exchange.request.method === "OPTIONS") return sendOptions(exchange, ["GET", "POST"]);
      check(exchange.request);
      engine.handleRequest(exchange.request, exchange.response);
    },
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      check(request);
      engine.handleUpgrade(request, socket, head);
    },
    close: () => engine.close(),
  };
}

export type SocketIo = ReturnType<typeof createSocketIo>;
