/** Owns one listening port: an HTTP server whose every request, upgrade and stray byte is answered. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type RequestListener, type Server, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { ConfigError } from "../../config.ts";
import { AppError } from "../../core/errors.ts";
import { headersWithinMs, keepAliveMs, requestWithinMs } from "../../core/limits.ts";
import { nextRequestId } from "../../core/random.ts";
import type { OpenSockets } from "./open-sockets.ts";
import { answerAndEnd, refuseSocket } from "./refusal.ts";
import { isUnderWay } from "./turns.ts";

interface PortOptions {
  /** The variable to name when the port cannot be had. */
  readonly variable: string;
  readonly port: number;
  readonly host: string | undefined;
  readonly sockets: OpenSockets;
  readonly onRequest: RequestListener;
  readonly onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

/** How often Node looks whether a client takes too long. */
const checkMs = 5_000;
/** A connection that is silent for so long is asked by the system whether its other end is still there. */
const probeAfterMs = 10_000;
/** A process that was just killed may hold its port for a moment. */
const retryMs = 100;
const retries = 10;

const requestLine = /^[\w!#$%&'*+.^`|~-]+ [^ \r\n]+ HTTP\/1\.[01]\r?$/m;

/** A request with an unknown method is valid HTTP, but Node's parser refuses it. */
function hasUnknownMethod({ code, rawPacket }: NodeJS.ErrnoException & { rawPacket?: Buffer }): boolean {
  return code === "HPE_INVALID_METHOD" && requestLine.test(rawPacket?.toString("latin1") ?? "");
}

/** What never becomes a request: an unknown method gets an error as everywhere else, the rest a bare status line. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (socket.destroyed || !socket.writable || error.code === "ECONNRESET") socket.destroy();
  else if (hasUnknownMethod(error))
    refuseSocket(socket, new AppError("METHOD_NOT_SUPPORTED"), nextRequestId(), ["Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS"]);
  else answerAndEnd(socket, error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400);
}

async function listen({ variable, port, host, sockets, onRequest, onUpgrade }: PortOptions): Promise<Server> {
  const server = createServer({
    requireHostHeader: false,
    requestTimeout: requestWithinMs,
    headersTimeout: headersWithinMs,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: checkMs,
    keepAlive: true,
    keepAliveInitialDelay: probeAfterMs,
    noDelay: true,
    // Other upgrades, h2c for example, are offers that may be left unanswered.
    shouldUpgradeCallback: (request) => request.headers.upgrade?.toLowerCase() === "websocket",
  });
  server.on("connection", (socket) => sockets.add(socket));
  server.on("request", (request, response) => {
    sockets.expect(response);
    onRequest(request, response);
  });
  server.on("checkExpectation", onRequest);
  server.on("upgrade", (request: IncomingMessage, socket, head) => {
    sockets.upgrade(request);
    onUpgrade(request, socket, head);
  });
  // Node leaves the answer to CONNECT to us; it gets the one that any other request to no path gets.
  server.on("connect", (request: IncomingMessage, socket: Socket) => {
    socket.on("error", () => socket.destroy());
    // Sent ahead of an answer that is still to come, it has no way to one of its own.
    if (isUnderWay(socket)) return void socket.destroy();
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.on("finish", () => socket.destroySoon());
    onRequest(request, response);
  });
  server.on("clientError", refuseBytes);
  for (let attempt = 0; ; attempt += 1) {
    try {
      await bind(server, port, host);
      return server;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === "EADDRINUSE" && attempt < retries) {
        await new Promise((resolve) => setTimeout(resolve, retryMs));
        continue;
      }
      if (code === "EADDRINUSE") throw new ConfigError(`${variable} ${port} is taken by another process`);
      if (code === "EACCES") throw new ConfigError(`${variable} ${port} may not be opened by this user`);
      throw new ConfigError(`HOST ${host ?? ""} cannot be listened on: ${message}`, { cause: error });
    }
  }
}

async function bind(server: Server, port: number, host: string | undefined): Promise<void> {
  server.listen({ port, ...(host !== undefined && { host }) });
  await once(server, "listening");
  server.on("error", () => {});
}

interface BothPorts extends Pick<PortOptions, "host" | "sockets" | "onUpgrade"> {
  readonly port: number;
  readonly websocketsPort: number;
  readonly onRequest: RequestListener;
  readonly onSocketsRequest: RequestListener;
}

/** Listens on `PORT` and `WEBSOCKETS_PORT`, or on neither. */
export async function listenOnBoth(options: BothPorts): Promise<readonly [rest: Server, sockets: Server]> {
  const { port, websocketsPort, host, sockets, onRequest, onSocketsRequest, onUpgrade } = options;
  const rest = await listen({ variable: "PORT", port, host, sockets, onRequest, onUpgrade });
  try {
    return [
      rest,
      await listen({ variable: "WEBSOCKETS_PORT", port: websocketsPort, host, sockets, onRequest: onSocketsRequest, onUpgrade }),
    ];
  } catch (error) {
    rest.close();
    rest.closeAllConnections();
    throw error;
  }
}

/** Stops listening and ends every connection on which nothing is under way; resolves when the others are over too. */
export function stopListening(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  return closed;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
