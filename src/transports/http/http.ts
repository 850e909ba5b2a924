/**
 * Owns one HTTP answer: its headers, its error body, its CORS rules. Every answer to a request that could be read goes through here;
 * the rest is `refusal.ts`'s.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { AppError, describeError, type ErrorDescription, serverStopping, toErrorBody } from "../../core/errors.ts";
import { nextRequestId } from "../../core/random.ts";
import { endStreamForNow } from "./event-stream.ts";
import { checkHost, parseTarget, type Target } from "./gate.ts";
import { takeTurn } from "./turns.ts";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly target: Target;
  /** What the request turned out to call, once that is known. */
  operation?: string;
}

export type HttpHandler = (exchange: Exchange) => Promise<void> | void;

const exposedHeaders = "Link, Location, Retry-After, X-Keenchat-Cursor, X-Request-Id";
const preflightSeconds = 86_400;

const token = /^[\w!#$%&'*+.^`|~-]+$/;
/** Where Socket.IO polls, as its clients write it. */
const pollingPath = /^\/socket\.io\/?(?:\?|$)/;

/** The origins that may read answers; `*`: all. */
export class Cors {
  readonly #origins: readonly string[];

  constructor(origins: readonly string[]) {
    this.#origins = origins;
  }

  /** Whether a browser page of this origin may open a socket. No `Origin`: no browser. */
  allows(origin: string | undefined): boolean {
    return origin === undefined || this.#origins.includes("*") || this.#origins.includes(origin);
  }

  setHeaders({ request, response }: Pick<Exchange, "request" | "response">): void {
    const { origin } = request.headers;
    // Clients 1.x and 2.x of Socket.IO poll with credentials, though there are none; a browser then takes no `*`.
    const polls = pollingPath.test(request.url ?? "");
    if (this.#origins.includes("*") && !polls) response.setHeader("Access-Control-Allow-Origin", "*");
    else {
      response.setHeader("Vary", "Origin");
      if (origin !== undefined && this.allows(origin)) {
        response.setHeader("Access-Control-Allow-Origin", origin);
        if (polls) response.setHeader("Access-Control-Allow-Credentials", "true");
      }
    }
    response.setHeader("Access-Control-Expose-Headers", exposedHeaders);
  }
}

/** Whether a browser asks by this request whether it may send another one. */
export function isPreflight({ method, headers }: IncomingMessage): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}

/** Allows the methods, and every header that is asked for: what a client or a library adds of its own does no harm here. */
function allowRequest({ request, response }: Pick<Exchange, "request" | "response">, methods: string): void {
  const asked = request.headers["access-control-request-headers"];
  response.setHeader("Access-Control-Allow-Methods", methods);
  response.appendHeader("Vary", "Access-Control-Request-Headers");
  if (asked?.split(",").every((name) => token.test(name.trim()))) response.setHeader("Access-Control-Allow-Headers", asked);
  response.setHeader("Access-Control-Max-Age", preflightSeconds);
}

/** Answers `OPTIONS`, a browser's preflight among them. */
export function sendOptions({ request, response }: Exchange, methods: readonly string[]): void {
  const allow = withImplied(methods).join(", ");
  response.setHeader("Allow", allow);
  if (isPreflight(request)) allowRequest({ request, response }, allow);
  send(response, 204);
}

/** A page could read nothing of the refusal of a preflight: the request that follows gets it. */
function sendRefusedPreflight(request: IncomingMessage, response: ServerResponse): void {
  const method = request.headers["access-control-request-method"] ?? "";
  if (token.test(method)) allowRequest({ request, response }, method);
  send(response, 204);
}

function withImplied(methods: readonly string[]): string[] {
  return [...methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])), "OPTIONS"];
}

/** Sends an answer whole. `HEAD` gets the same headers without the body. */
export function send(
  response: ServerResponse,
  status: number,
  body?: string | Buffer,
  contentType = "application/json; charset=utf-8",
): void {
  response.statusCode = status;
  if (body === undefined) {
    response.end();
    return;
  }
  response.setHeader("Content-Type", contentType);
  response.setHeader("Content-Length", Buffer.byteLength(body));
  if (response.req.method === "HEAD") response.end();
  else response.end(body);
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, JSON.stringify(value));
}

/** Answers with an error; `toBody` writes it in the form of the wire. */
export function sendError(response: ServerResponse, error: unknown, toBody: (description: ErrorDescription) => unknown): ErrorDescription {
  const description = describeError(error);
  if (response.headersSent) {
    response.destroy();
    return description;
  }
  if (endStreamForNow(response, description)) return description;
  if (description.retryAfterSeconds !== undefined) response.setHeader("Retry-After", description.retryAfterSeconds);
  if (description.status === 401) response.setHeader("WWW-Authenticate", "Bearer");
  // The unread rest of a body would be taken for the next request.
  if (description.status === 413) response.setHeader("Connection", "close");
  sendJson(response, description.status, toBody(description));
  return description;
}

/** Made once: an abort without a reason makes an error with its stack. */
const clientLeft = new Error("The client has left.");

/** Aborts when the client leaves before it has its answer. */
export function whileWaitedFor(response: ServerResponse): AbortSignal {
  const left = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) left.abort(clientLeft);
  });
  return left.signal;
}

/** Refuses a method that a path does not have. */
export function methodNotAllowed(response: ServerResponse, methods: readonly string[]): AppError {
  response.setHeader("Allow", withImplied(methods).join(", "));
  return new AppError("METHOD_NOT_SUPPORTED");
}

function observe(exchange: Exchange, onAnswer: NonNullable<ListenerOptions["onAnswer"]>): void {
  const { response } = exchange;
  const start = performance.now();
  response.once("finish", () => {
    const isStream = String(response.getHeader("Content-Type")).startsWith("text/event-stream");
    if (!isStream) onAnswer(exchange.operation ?? "none", response.statusCode, (performance.now() - start) / 1_000);
  });
}

export interface ListenerOptions {
  readonly cors: Cors;
  readonly handle: HttpHandler;
  /** Called with errors that are faults of the server. */
  readonly onError: (error: unknown, requestId: string) => void;
  /** Whether the server is stopping. */
  readonly draining: () => boolean;
  /** Called for every answer that was sent completely, except streams. */
  readonly onAnswer?: (operation: string, status: number, seconds: number) => void;
}

/** The `request` listener of both ports. Every request is answered, and no error of a handler ends the process. */
export function createRequestListener({ cors, handle, onError, draining, onAnswer }: ListenerOptions) {
  async function answer(request: IncomingMessage, response: ServerResponse, requestId: string): Promise<void> {
    response.setHeader("X-Request-Id", requestId);
    response.setHeader("Referrer-Policy", "no-referrer");
    response.setHeader("X-Content-Type-Options", "nosniff");
    cors.setHeaders({ request, response });
    // A cacheable answer sets its own header, as files do.
    response.setHeader("Cache-Control", "no-store");
    if (draining()) {
      response.setHeader("Connection", "close");
      throw serverStopping();
    }
    checkHost(request);
    if (request.method === "OPTIONS" && request.url === "*") {
      send(response, 204);
      return;
    }
    const exchange: Exchange = { request, response, requestId, target: parseTarget(request.url ?? "/") };
    if (onAnswer) observe(exchange, onAnswer);
    await handle(exchange);
  }

  return (request: IncomingMessage, response: ServerResponse): void => {
    const requestId = nextRequestId();
    request.on("error", () => {});
    response.on("error", () => {});
    // Kept alive, it would hold up the stop.
    response.on("finish", () => draining() && request.socket.end());
    takeTurn(request, response, () =>
      answer(request, response, requestId).catch((error: unknown) => {
        if (isPreflight(request) && !response.headersSent) return sendRefusedPreflight(request, response);
        const description = sendError(response, error, (described) => toErrorBody(described, requestId));
        if (description.code === "INTERNAL_SERVER_ERROR") onError(error, requestId);
      }),
    );
  };
}
