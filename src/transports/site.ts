/** Owns which handler a request goes to, on either port. */
import { AppError } from "../core/errors.ts";
import { type Exchange, type HttpHandler, methodNotAllowed, sendOptions } from "./http/http.ts";

export interface SiteOptions {
  /** Answers to GET at one path of one segment; they need no token and look at none. */
  readonly documents: Readonly<Record<string, HttpHandler>>;
  /** The same for a path and everything below it. */
  readonly folders: Readonly<Record<string, HttpHandler>>;
  readonly trpc: HttpHandler;
  readonly socketIo: HttpHandler;
  /** Resolves to false where the path is none of the documented ones. */
  readonly rest: (exchange: Exchange) => Promise<boolean>;
  /** False where the path is no file of the web app. */
  readonly web: (exchange: Exchange) => boolean;
}

function isSocketIo({ target: { segments } }: Exchange): boolean {
  return segments.length === 1 && segments[0] === "socket.io";
}

async function sendDocument(exchange: Exchange, document: HttpHandler): Promise<void> {
  const { method } = exchange.request;
  if (method === "OPTIONS") sendOptions(exchange, ["GET"]);
  else if (method === "GET" || method === "HEAD") await document(exchange);
  else throw methodNotAllowed(exchange.response, ["GET"]);
}

/** Everything on `PORT`. */
export function createSite({ documents, folders, trpc, socketIo, rest, web }: SiteOptions): HttpHandler {
  return async (exchange) => {
    const [first = "", ...others] = exchange.target.segments;
    const found = others.length === 0 && Object.hasOwn(documents, first) ? documents : folders;
    const document = Object.hasOwn(found, first) ? found[first] : undefined;
    if (document) {
      exchange.operation = first;
      await sendDocument(exchange, document);
    } else if (first === "trpc" && others.length > 0) await trpc(exchange);
    else if (isSocketIo(exchange)) await socketIo(exchange);
    else if (!(await rest(exchange)) && !web(exchange)) throw new AppError("NOT_FOUND", "There is nothing at this path.");
  };
}

/** Requests on `WEBSOCKETS_PORT` that are no upgrades: only Socket.IO's polling is served. */
export function createSocketSite({ socketIo }: Pick<SiteOptions, "socketIo">): HttpHandler {
  return (exchange) => {
    if (isSocketIo(exchange)) return socketIo(exchange);
    throw new AppError("NOT_FOUND", "This port speaks WebSocket; the REST paths are on PORT.");
  };
}
