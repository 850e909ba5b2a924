/** Owns tRPC over HTTP: what a call may look like is settled here, tRPC's own adapter only runs it. */
import { getErrorShape, getTRPCErrorFromUnknown } from "@trpc/server";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import { appRouter } from "../api.ts";
import type { Context, Origin } from "../core/context.ts";
import { AppError, describeError } from "../core/errors.ts";
import { createContext, type Services } from "../core/services.ts";
import { findCaller } from "./caller.ts";
import type { Connections } from "./connections.ts";
import { streamCacheControl } from "./event-stream.ts";
import { parseJson, readBody, readJsonText, readToken, single, type Target } from "./gate.ts";
import { type Exchange, isPreflight, methodNotAllowed, sendError, sendOptions } from "./http.ts";
import { definitions } from "./procedures.ts";

const maxBatchSize = 20;
/** The parameters tRPC's adapter gets to see. */
const adapterParameters = ["batch", "input", "lastEventId"];

export interface TrpcHttpOptions {
  readonly services: Services;
  readonly connections: Connections;
  readonly originOf: (request: Exchange["request"]) => Origin;
  readonly headCursor: () => string;
  readonly fresh: () => Promise<void>;
}

interface Call {
  /** The procedures, in the order of the batch. */
  readonly paths: readonly string[];
  readonly type: "query" | "mutation" | "subscription" | undefined;
}

function readCall({ query }: Target, path: string): Call {
  const paths = single(query, "batch") === "1" ? path.split(",") : [path];
  if (paths.length > maxBatchSize) throw new AppError("BAD_REQUEST", `A batch has at most ${maxBatchSize} calls.`);
  const types = new Set(paths.flatMap((name) => definitions.get(name)?.type ?? []));
  if (types.size > 1) throw new AppError("BAD_REQUEST", "Queries and mutations cannot stand in one batch.");
  const [type] = types;
  return { paths, type };
}

/** The token of the connection parameters: where an event source, which can set no headers, has it. */
function readParamsToken(query: Target["query"]): string | undefined {
  const text = single(query, "connectionParams");
  if (text === undefined) return undefined;
  const params = parseJson(text, "parameter connectionParams");
  const auth = typeof params === "object" && params !== null && Object.hasOwn(params, "auth") && (params as { auth: unknown }).auth;
  if (auth === false || auth === null || auth === undefined) return undefined;
  if (typeof auth !== "string") throw new AppError("BAD_REQUEST", "The connection parameter auth must be a token.");
  return auth;
}

function adapterUrl(path: string, query: Target["query"]): string {
  const kept = adapterParameters.flatMap((name) => {
    const value = single(query, name);
    return value === undefined ? [] : [[name, value] as [string, string]];
  });
  return `/trpc/${encodeURIComponent(path)}?${new URLSearchParams(kept)}`;
}

export function createTrpcHttp({ services, connections, originOf, headCursor, fresh }: TrpcHttpOptions) {
  function tokenOf({ request, target }: Exchange): string | undefined {
    const fromRequest = readToken(request, target.query);
    const fromParams = readParamsToken(target.query);
    if (fromRequest !== undefined && fromParams !== undefined && fromParams !== fromRequest)
      throw new AppError("BAD_REQUEST", "The connection parameter auth and the request's token differ.");
    return fromRequest ?? fromParams;
  }

  /** A subscription holds its connection: it counts, and ends with its session and with the server. */
  function takeSlot({ response }: Exchange, { caller, origin }: Context): void {
    // Destroyed, not ended: the adapter stops its generator only where the answer was cut.
    const slot = connections.open({ address: origin.address, caller, end: () => response.destroy() });
    if (!slot) throw new AppError("TOO_MANY_REQUESTS", "Too many connections from this address.", { retryAfterSeconds: 10 });
    response.once("close", () => slot.close());
  }

  async function serve(exchange: Exchange, path: string): Promise<void> {
    const { request, response, requestId, target } = exchange;
    const call = readCall(target, path);
    exchange.operation = call.paths.length > 1 ? "batch" : definitions.has(path) ? path : "none";
    const methods = call.type === undefined ? ["GET", "POST"] : call.type === "mutation" ? ["POST"] : ["GET"];
    if (request.method === "OPTIONS") return sendOptions(exchange, methods);
    if (!methods.includes(request.method === "HEAD" ? "GET" : (request.method ?? ""))) throw methodNotAllowed(response, methods);
    const reads = request.method !== "POST";
    if (reads) response.setHeader("X-Keenchat-Cursor", headCursor());
    const body = request.method === "POST" ? ((await readBody(request)) ?? Buffer.alloc(0)) : undefined;
    const text = body && readJsonText(request, body);
    const verify = (token: string) => services.tokens.verify(token, { fresh: reads });
    const [caller] = await Promise.all([findCaller(call.paths, () => tokenOf(exchange), verify), reads && fresh()]);
    if (reads) response.setHeader("X-Keenchat-Cursor", headCursor());
    const context = createContext(services, { caller, origin: originOf(request), requestId });
    if (call.type === "subscription" && request.method === "GET") takeSlot(exchange, context);
    await nodeHTTPRequestHandler({
      router: appRouter,
      // The body has been read, and a URL is built from the host; what has been checked is all that goes on.
      req: Object.assign(request, {
        url: adapterUrl(path, target.query),
        headers: { ...request.headers, host: "localhost", "content-type": "application/json" },
        body: text,
      }),
      res: response,
      path,
      createContext: async () => context,
      responseMeta({ type, errors }) {
        const seconds = errors.flatMap((error) => describeError(error).retryAfterSeconds ?? []);
        // The adapter's own word for a stream lets it be kept.
        const headers = { "cache-control": type === "subscription" ? streamCacheControl : "no-store" };
        return { headers: seconds.length === 0 ? headers : { ...headers, "retry-after": String(Math.max(...seconds)) } };
      },
    });
  }

  return async (exchange: Exchange): Promise<void> => {
    const { request, response, requestId, target } = exchange;
    const path = target.segments.slice(1).join("/");
    try {
      await serve(exchange, path);
    } catch (error) {
      if (isPreflight(request)) throw error;
      const { code } = sendError(response, error, () => ({
        error: getErrorShape({
          config: appRouter._def._config,
          error: getTRPCErrorFromUnknown(error),
          type: "unknown",
          path,
          input: undefined,
          ctx: createContext(services, { caller: null, origin: originOf(request), requestId }),
        }),
      }));
      if (code === "INTERNAL_SERVER_ERROR") services.logger.error({ err: error, request_id: requestId }, "a tRPC request failed");
    }
  };
}
