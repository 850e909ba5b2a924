/** Owns the listening ports: HTTP servers whose every request, upgrade and stray byte is answered, by handlers that can be exchanged. */
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

/** What answers on both ports. */
export interface Handlers extends Pick<PortOptions, "onRequest" | "onUpgrade"> {
  /** Requests on `WEBSOCKETS_PORT`. */
  readonly onSocketsRequest: RequestListener;
}

interface BothPorts extends Pick<PortOptions, "host" | "sockets"> {
  readonly port: number;
  readonly websocketsPort: number;
}

/** `PORT` and `WEBSOCKETS_PORT`: open from the start of the process to its end, whatever answers there. */
export class Ports {
  readonly #servers: readonly [rest: Server, sockets: Server];
  readonly #sockets: OpenSockets;
  readonly #host: string;
  readonly #exchange: (handlers: Handlers) => void;

  private constructor(servers: readonly [Server, Server], { host, sockets }: BothPorts, exchange: (handlers: Handlers) => void) {
    this.#servers = servers;
    this.#sockets = sockets;
    this.#host = hostForUrl(host);
    this.#exchange = exchange;
  }

  /** Listens on both ports, or on neither. */
  static async open(options: BothPorts, first: Handlers): Promise<Ports> {
    const { port, websocketsPort, host, sockets } = options;
    let handlers = first;
    const shared = { host, sockets, onUpgrade: ((...upgrade) => handlers.onUpgrade(...upgrade)) as PortOptions["onUpgrade"] };
    const rest = await listen({ ...shared, variable: "PORT", port, onRequest: (...asked) => handlers.onRequest(...asked) });
    const more = {
      variable: "WEBSOCKETS_PORT",
      port: websocketsPort,
      onRequest: ((...asked) => handlers.onSocketsRequest(...asked)) as RequestListener,
    };
    const webSockets = await listen({ ...shared, ...more }).catch((error: unknown) => {
      rest.close();
      rest.closeAllConnections();
      sockets.stop();
      throw error;
    });
    return new Ports([rest, webSockets], options, (next) => {
      handlers = next;
    });
  }

  get restUrl(): string {
    return `http://${this.#host}:${portOf(this.#servers[0])}`;
  }

  get wsUrl(): string {
    return `ws://${this.#host}:${portOf(this.#servers[1])}`;
  }

  /** From the next request on, on connections that are open as well. */
  serve(handlers: Handlers): void {
    this.#exchange(handlers);
  }

  /** Stops listening and ends every connection on which nothing is under way; resolves when the others are over too. */
  async stop(): Promise<void> {
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const server of this.#servers) server.closeIdleConnections();
    this.#sockets.stop();
    await Promise.all(closed);
  }

  /** Ends what is left at once. */
  async close(): Promise<void> {
    const stopped = this.stop();
    for (const server of this.#servers) server.closeAllConnections();
    await stopped;
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function hostForUrl(host: string | undefined): string {
  if (host === undefined || host === "0.0.0.0" || host === "::") return "localhost";
  return host.includes(":") ? `[${host}]` : host;
}
