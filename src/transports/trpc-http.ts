/** Owns tRPC over HTTP: tRPC's own adapter behind the same gate as REST. */
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import { appRouter } from "../api.ts";
import type { Context, Origin } from "../core/context.ts";
import { AppError } from "../core/errors.ts";
import { createContext, type Services } from "../core/services.ts";
import { readBody, readJsonText, readToken } from "./gate.ts";
import { type Exchange, methodNotAllowed, sendOptions } from "./http.ts";
import { holdOpen, type StreamOptions } from "./sse.ts";

const maxBatchSize = 20;
const methods = ["GET", "POST"];

export interface TrpcHttpOptions extends Omit<StreamOptions, "feeds"> {
  readonly services: Services;
  readonly originOf: (request: Exchange["request"]) => Origin;
  readonly headCursor: () => string;
}

export function createTrpcHttp({ services, originOf, headCursor, ...streams }: TrpcHttpOptions) {
  return async (exchange: Exchange): Promise<void> => {
    const { request, response, requestId, target } = exchange;
    if (request.method === "OPTIONS") return sendOptions(exchange, methods);
    if (request.method !== "HEAD" && !methods.includes(request.method ?? "")) throw methodNotAllowed(response, methods);
    const token = readToken(request, target.query);
    if (token !== undefined) response.setHeader("Cache-Control", "no-store");
    if (request.method === "GET") response.setHeader("X-Keenchat-Cursor", headCursor());
    const body = await readBody(request);
    const text = body === undefined ? undefined : readJsonText(request, body);
    const query = request.url?.includes("?") ? request.url.slice(request.url.indexOf("?")) : "";
    await nodeHTTPRequestHandler({
      router: appRouter,
      // The adapter must not read what has been read, and builds its URL from these two.
      req: Object.assign(request, { url: `/trpc/${target.segments.slice(1).map(encodeURIComponent).join("/")}${query}`, body: text }),
      res: response,
      path: target.segments.slice(1).join("/"),
      maxBatchSize,
      async createContext({ info }): Promise<Context> {
        const fromParams = info.connectionParams?.["auth"];
        if (token !== undefined && fromParams !== undefined && fromParams !== token)
          throw new AppError("BAD_REQUEST", "The connection parameter auth and the request's token differ.");
        const used = token ?? fromParams;
        const caller = used === undefined ? null : await services.tokens.verify(used);
        const origin = originOf(request);
        if (info.type === "subscription") holdOpen(response, { caller, origin }, streams);
        return createContext(services, { caller, origin, requestId });
      },
    });
  };
}
