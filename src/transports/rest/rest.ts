/** Owns REST: a request becomes a procedure's input, its output an answer. What the paths are stands at the procedures. */
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { createContext } from "../../core/services.ts";
import { type AuthenticateOptions, authenticate } from "../calls/authenticate.ts";
import { callProcedure } from "../calls/procedures.ts";
import { prefersEventStream } from "../http/event-stream.ts";
import { list, parseJson, readBody, readHeaderText, readJsonText, readToken, type Target } from "../http/gate.ts";
import { type Exchange, methodNotAllowed, send, sendJson, sendOptions, whileWaitedFor } from "../http/http.ts";
import { fromPath, fromQuery } from "../http/url-fields.ts";
import { findRoutes, type Route } from "./routes.ts";
import { type StreamOptions, streamEvents } from "./sse.ts";

export interface RestOptions extends StreamOptions, AuthenticateOptions {
  /** What a proxy takes away from the paths it passes on: `/chat`, or nothing. */
  readonly pathPrefix: string;
}

function pathFields(route: Route, segments: readonly string[]): [string, unknown][] {
  return route.segments.flatMap((part, index) => {
    if (!part.startsWith("{")) return [];
    const name = part.slice(1, -1);
    return [[name, fromPath(segments[index] ?? "", route.fields.get(name))]];
  });
}

function queryFields(route: Route, query: Target["query"]): [string, unknown][] {
  if (route.readsBody) return [];
  return [...route.fields].flatMap(([name, kind]) => {
    const value = fromQuery(query, name, kind);
    return value === undefined ? [] : [[name, value]];
  });
}

function bodyFields(route: Route, body: unknown): [string, unknown][] {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw new AppError("BAD_REQUEST", "The body must be a JSON object.");
  return [...route.fields.keys()].flatMap((name) => (Object.hasOwn(body, name) ? [[name, (body as Record<string, unknown>)[name]]] : []));
}

/** Fields that may stand in a header instead; both and different is refused. */
function headerFields(route: Route, request: Exchange["request"], given: Record<string, unknown>): [string, unknown][] {
  return Object.entries(route.rest.headers ?? {}).flatMap(([header, field]) => {
    const value = readHeaderText(request, header);
    if (value === undefined) return [];
    if (Object.hasOwn(given, field) && given[field] !== value)
      throw new AppError("BAD_REQUEST", `The header ${header} and ${field} differ.`);
    return [[field, value]];
  });
}

function readInput(route: Route, { request, target }: Exchange, body: Buffer | undefined): Record<string, unknown> {
  const fields = body === undefined ? queryFields(route, target.query) : bodyFields(route, parseJson(readJsonText(request, body)));
  const input = Object.fromEntries(fields);
  for (const [name, value] of [...headerFields(route, request, input), ...pathFields(route, target.segments)]) input[name] = value;
  return input;
}

/** The path that was asked for, as a client has to write it. */
function pathOf({ segments }: Target, prefix: string): string {
  return `${prefix}/${segments.map(encodeURIComponent).join("/")}`;
}

/** `Link` for the pages on either side: the request's own path and parameters, moved. */
function linkHeader(route: Route, target: Target, prefix: string, { next, prev }: Context["reply"]): string {
  if (next === undefined && prev === undefined) return "";
  const { query } = target;
  const path = pathOf(target, prefix);
  const kept = [...route.fields].flatMap(([name]) => {
    const values = name === "before" || name === "after" ? undefined : list(query, name);
    return values ? [[name, values.join(",")] as [string, string]] : [];
  });
  const link = (name: string, id: number, rel: string) => `<${path}?${new URLSearchParams([...kept, [name, String(id)]])}>; rel="${rel}"`;
  return [next !== undefined && link("after", next, "next"), prev !== undefined && link("before", prev, "prev")].filter(Boolean).join(", ");
}

function sendSuccess(route: Route, { response, target }: Exchange, prefix: string, reply: Context["reply"], output: unknown): void {
  const status = reply.status ?? route.rest.success ?? 200;
  const link = linkHeader(route, target, prefix, reply);
  if (link !== "") response.setHeader("Link", link);
  if (status === 204) {
    send(response, 204);
    return;
  }
  if (status === 201) response.setHeader("Location", `${pathOf(target, prefix)}/${(output as { id: number }).id}`);
  sendJson(response, status, output);
}

function wantsStream(route: Route, { request }: Exchange): boolean {
  return route.procedure === "event.list" && prefersEventStream(request.headers.accept);
}

/** Answers requests to the documented paths. Resolves to false where the path is none of them. */
export function createRest(options: RestOptions) {
  return async (exchange: Exchange): Promise<boolean> => {
    const { request, response, target } = exchange;
    const found = findRoutes(target.segments);
    if (found.length === 0) return false;
    const methods = found.map((route) => route.method);
    if (request.method === "OPTIONS") {
      sendOptions(exchange, methods);
      return true;
    }
    const route = found.find(({ method }) => method === request.method || (method === "GET" && request.method === "HEAD"));
    if (!route) throw methodNotAllowed(response, methods);

    exchange.operation = route.procedure;
    const reads = route.method === "GET";
    const { asked, body } = await authenticate(
      exchange,
      {
        procedures: [route.procedure],
        reads,
        readToken: () => readToken(request, target.query),
        readBody: async () => (route.readsBody ? await readBody(request) : undefined),
      },
      options,
    );
    const context = createContext(options.services, asked);
    if (wantsStream(route, exchange)) {
      await streamEvents(exchange, context, readInput(route, exchange, body), options);
      return true;
    }
    const signal = reads ? whileWaitedFor(response) : undefined;
    const output = await callProcedure(route.procedure, context, async () => readInput(route, exchange, body), signal);
    sendSuccess(route, exchange, options.pathPrefix, context.reply, output);
    return true;
  };
}
