/** Owns the way to an open WebSocket: the upgrade, the handshake, and which wire a socket speaks. */
import type { IncomingMessage } from "node:http";
import type { Socket as NetSocket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { AppError, describeError, serverStopping, tooManyConnections } from "../core/errors.ts";
import { maxBodyBytes, maxFrameFragments } from "../core/limits.ts";
import { nextRequestId } from "../core/random.ts";
import { checkHost, parseTarget, readToken, type Target } from "./http/gate.ts";
import { refuseSocket } from "./http/refusal.ts";
import { isUnderWay } from "./http/turns.ts";
import { readFeedRequest } from "./shim/feed-request.ts";
import { PlainSocket } from "./shim/plain.ts";
import type { SocketIo } from "./shim/socket-io.ts";
import { type Protocol, type SocketOptions, type Upgrade, WebSocketConnection } from "./socket/websocket-connection.ts";
import { announcesParams, isTrpcFrame } from "./trpc/trpc-frames.ts";
import { TrpcSocket } from "./trpc/trpc-ws.ts";

export interface WebSocketOptions extends SocketOptions {
  readonly socketIo: SocketIo;
}

/** A socket at `/` that has not said yet what it speaks: its first frame tells; until then it hears as a plain one. */
class FirstFrame implements Protocol {
  readonly #connection: WebSocketConnection;
  readonly #plain: PlainSocket;

  constructor(connection: WebSocketConnection, target: Target) {
    this.#connection = connection;
    this.#plain = new PlainSocket(connection, readFeedRequest(target.query));
  }

  receive(data: Buffer, isBinary: boolean): void {
    const text = isBinary ? "" : data.toString("utf8");
    // tRPC's keep-alive says nothing yet about what follows.
    if (text === "PING") return this.#connection.write(TrpcSocket.pong);
    const trpc = isTrpcFrame(text);
    if (trpc) this.#plain.giveWay();
    const protocol = trpc ? new TrpcSocket(this.#connection, false) : this.#plain;
    this.#connection.speak(protocol);
    protocol.receive(data, isBinary);
  }

  resume(): void {
    this.#plain.resume();
  }

  closed(): void {
    this.#plain.closed();
  }
}

/** What a socket speaks, by its URL. */
function protocolOf(connection: WebSocketConnection, target: Target): Protocol {
  const announced = announcesParams(target);
  if (target.segments[0] === "trpc" || announced) return new TrpcSocket(connection, announced);
  return new FirstFrame(connection, target);
}

const ignore = () => {};

/** Serves WebSocket upgrades on any HTTP server; the same on both ports. */
export function createWebSockets(options: WebSocketOptions) {
  const { connections, cors, originOf, draining, onError } = options;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxBodyBytes,
    maxFragments: maxFrameFragments,
    maxBufferedChunks: 1_024,
  });

  /** Undefined where the socket is Socket.IO's. */
  function admit(request: IncomingMessage, requestId: string): Upgrade | undefined {
    if (draining()) throw serverStopping();
    checkHost(request);
    if (!cors.allows(request.headers.origin)) throw new AppError("FORBIDDEN", "This origin may not open sockets here.");
    const target = parseTarget(request.url ?? "/");
    const [first, ...rest] = target.segments;
    if (first === "socket.io" && rest.length === 0) return undefined;
    if (rest.length > 0 || (first !== undefined && first !== "trpc"))
      throw new AppError("NOT_FOUND", "There is no WebSocket at this path.");
    readFeedRequest(target.query);
    const upgrade = { target, origin: originOf(request), requestId, token: readToken(request, target.query) };
    if (!connections.hasRoom(upgrade.origin.address)) throw tooManyConnections();
    return upgrade;
  }

  server.on("wsClientError", (_error, socket) =>
    refuseSocket(socket, new AppError("BAD_REQUEST", "This is no valid WebSocket handshake."), nextRequestId()),
  );

  return {
    upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
      const requestId = nextRequestId();
      socket.on("error", ignore);
      if (isUnderWay(socket)) return void socket.destroy();
      try {
        const admitted = admit(request, requestId);
        if (!admitted) {
          options.socketIo.upgrade(request, socket, head);
          return;
        }
        // The handshake is answered in the same turn, so that the room is still there.
        server.handleUpgrade(request, socket, head, (ws) => {
          ws.on("error", ignore);
          const connection = new WebSocketConnection(ws, socket as NetSocket, admitted, options);
          connections.open(connection);
          connection.speak(protocolOf(connection, admitted.target));
        });
      } catch (error) {
        refuseSocket(socket, error, requestId);
        if (describeError(error).code === "INTERNAL_SERVER_ERROR") onError(error, requestId);
      }
    },
  };
}
