/** Owns tRPC over HTTP: which calls a request makes, on whose behalf, and with what input. */
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { maxBatchCalls } from "../../core/limits.ts";
import { createContext } from "../../core/services.ts";
import { type AuthenticateOptions, authenticate } from "../calls/authenticate.ts";
import { definitions } from "../calls/procedures.ts";
import { parseJson, readBody, readJsonText, readToken, single, type Target } from "../http/gate.ts";
import { type Exchange, isPreflight, methodNotAllowed, send, sendError, sendOptions, whileWaitedFor } from "../http/http.ts";
import type { Connections } from "../socket/connections.ts";
import { answerCall, errorShape } from "./trpc-answer.ts";
import { sendAnswer, sendBatch } from "./trpc-batch.ts";
import { authParameterDiffers, authParameterNoToken, batchTooLong } from "./trpc-errors.ts";
import { streamSubscription } from "./trpc-stream.ts";

export interface TrpcHttpOptions extends AuthenticateOptions {
  readonly connections: Connections;
}

interface Call {
  /** The procedures, in the order of the batch. */
  readonly paths: readonly string[];
  readonly type: "query" | "mutation" | "subscription" | undefined;
  readonly batched: boolean;
}

function readCall({ query }: Target, path: string): Call {
  const batched = single(query, "batch") === "1";
  const paths = batched ? path.split(",") : [path];
  if (paths.length > maxBatchCalls) throw batchTooLong();
  const types = new Set(paths.flatMap((name) => definitions.get(name)?.type ?? []));
  if (types.size > 1) throw new AppError("BAD_REQUEST", "Queries and mutations cannot stand in one batch.");
  const [type] = types;
  return { paths, type, batched };
}

/** The inputs of the calls, by their place in the batch. */
function readInputs(text: string | undefined, batched: boolean): object {
  if (!text) return [];
  const inputs = parseJson(text, "input");
  if (!batched) return [inputs];
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs))
    throw new AppError("BAD_REQUEST", "The input of a batch must be an object: each call's input by its place.");
  return inputs;
}

/** Whether the client takes answers as lines, each when it is there: tRPC's `httpBatchStreamLink`. */
function takesLines({ headers }: Exchange["request"]): boolean {
  const accept = headers["trpc-accept"] ?? headers.accept ?? "";
  return [accept].flat().some((types) => types.split(",").some((type) => type.trim() === "application/jsonl"));
}

/** The token of the connection parameters: where an event source, which can set no headers, has it. */
function readParamsToken(query: Target["query"]): string | undefined {
  const text = single(query, "connectionParams");
  if (text === undefined) return undefined;
  const params = parseJson(text, "parameter connectionParams");
  const auth = typeof params === "object" && params !== null && Object.hasOwn(params, "auth") && (params as { auth: unknown }).auth;
  if (auth === false || auth === null || auth === undefined) return undefined;
  if (typeof auth !== "string") throw authParameterNoToken();
  return auth;
}

/** @throws AppError BAD_REQUEST where two tokens are given and differ. */
function tokenOf({ request, target }: Exchange): string | undefined {
  const fromRequest = readToken(request, target.query);
  const fromParams = readParamsToken(target.query);
  if (fromRequest !== undefined && fromParams !== undefined && fromParams !== fromRequest) throw authParameterDiffers();
  return fromRequest ?? fromParams;
}

export function createTrpcHttp(options: TrpcHttpOptions) {
  const { services, connections, originOf } = options;

  async function serve(exchange: Exchange, path: string): Promise<void> {
    const { request, response, target } = exchange;
    const call = readCall(target, path);
    exchange.operation = call.paths.length > 1 ? "batch" : definitions.has(path) ? path : "none";
    const methods = call.type === undefined ? ["GET", "POST"] : call.type === "mutation" ? ["POST"] : ["GET"];
    if (request.method === "OPTIONS") return sendOptions(exchange, methods);
    if (!methods.includes(request.method === "HEAD" ? "GET" : (request.method ?? ""))) throw methodNotAllowed(response, methods);
    const posts = request.method === "POST";
    const { asked, body: text } = await authenticate(
      exchange,
      {
        procedures: call.paths,
        reads: !posts,
        readToken: () => tokenOf(exchange),
        readBody: async () => (posts ? readJsonText(request, (await readBody(request)) ?? Buffer.alloc(0)) : undefined),
      },
      options,
    );
    const input = text ?? single(target.query, "input");
    if (request.method === "HEAD") send(response, 204);
    else if (call.type === "subscription") await streamSubscription(exchange, path, asked, { services, connections });
    else await answer(exchange, call, input, createContext(services, asked));
  }

  async function answer({ request, response }: Exchange, call: Call, input: string | undefined, context: Context): Promise<void> {
    const { paths, type = "unknown", batched } = call;
    const lines = takesLines(request);
    if (lines && !batched) throw new AppError("BAD_REQUEST", "What is streamed must be a batch; it may be a batch of one.");
    const signal = type === "query" ? whileWaitedFor(response) : undefined;
    let inputs: object | undefined;
    const calls = paths.map((path, index) => () => {
      const getRawInput = async (): Promise<unknown> => {
        inputs ??= readInputs(input, batched);
        return Object.hasOwn(inputs, index) ? (inputs as Record<number, unknown>)[index] : undefined;
      };
      return answerCall({ path, type, context, getRawInput, signal });
    });
    response.appendHeader("Vary", "trpc-accept, accept");
    const [only] = calls;
    if (only && !batched) return sendAnswer(response, await only());
    await sendBatch(response, { calls, mutates: type === "mutation", lines });
  }

  return async (exchange: Exchange): Promise<void> => {
    const { request, response, requestId, target } = exchange;
    const path = target.segments.slice(1).join("/");
    try {
      await serve(exchange, path);
    } catch (error) {
      if (isPreflight(request)) throw error;
      const context = createContext(services, { caller: null, origin: originOf(request), requestId });
      const { code } = sendError(response, error, () => ({ error: errorShape(error, { path, context }) }));
      if (code === "INTERNAL_SERVER_ERROR") services.logger.error({ err: error, request_id: requestId }, "a tRPC request failed");
    }
  };
}
