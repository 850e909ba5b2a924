/** Owns queries and mutations: one HTTP request each, so that a call never waits for the socket or for another call. */
import { pause, reasonOf, startDeadline } from "./abort.ts";
import type { CallOptions } from "./call-options.ts";
import { KeenchatError, toKeenchatError, unreachable } from "./errors.ts";
import { answerExpectedMs } from "./heartbeat.ts";
import { queries } from "./queries.ts";
import type { Tokens } from "./tokens.ts";

const attempts = 3;
const firstDelayMs = 300;
const longestDelayMs = 5_000;
/** The answer to a query that was sent as a mutation, or the reverse; the procedure did not run. */
const wrongMethodStatus = 405;

/** Names and values, or a function, which may be asynchronous and is called before each request. */
export type HeadersOption = Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>);

export interface CallerOptions {
  readonly url: string;
  readonly tokens: Tokens;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
  readonly headers: HeadersOption | undefined;
  /** An answer is late or missing: the server may be unreachable. */
  readonly onDoubt: () => void;
}

interface Request {
  readonly path: string;
  readonly input: unknown;
  readonly token: string | null;
  readonly isQuery: boolean;
  readonly signal: AbortSignal | undefined;
}

export class Caller {
  readonly #options: CallerOptions;
  /** Corrected by the server's answers, because the server may be newer than this client. */
  readonly #queries = new Set(queries);

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Calls a procedure. A call that can be repeated safely is retried after a transient failure. */
  async call(path: string, input: unknown = {}, { signal, repeatable }: CallOptions & { repeatable?: boolean } = {}): Promise<unknown> {
    const { tokens } = this.#options;
    if (tokens.loaded) await tokens.loaded;
    // A call keeps the token of its caller if another user signs in meanwhile. Signing in must work even with an ended token.
    const token = path === "auth.login" ? null : tokens.current;
    let isQuery = this.#queries.has(path);
    let isTurned = false;
    for (let attempt = 1; ; ) {
      try {
        return await this.#request({ path, input, token, isQuery, signal });
      } catch (error) {
        if (!(error instanceof KeenchatError)) throw error;
        if (error.status === wrongMethodStatus && !isTurned) {
          isTurned = true;
          isQuery = !isQuery;
          if (isQuery) this.#queries.add(path);
          else this.#queries.delete(path);
          continue;
        }
        if (!error.transient || !(repeatable ?? isQuery) || attempt === attempts) throw error;
        const delayMs = error.retryAfterMs ?? firstDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random());
        if (delayMs > longestDelayMs) throw error;
        await pause(delayMs, signal);
        attempt += 1;
      }
    }
  }

  async #request({ path, input, token, isQuery, signal }: Request): Promise<unknown> {
    const { url, tokens, fetch, timeoutMs, onDoubt } = this.#options;
    const json = JSON.stringify(input);
    const headers = await this.#headers(token, isQuery);
    const deadline = startDeadline(timeoutMs, signal);
    const late = setTimeout(onDoubt, answerExpectedMs);
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(`${url}/trpc/${path}${isQuery ? `?input=${encodeURIComponent(json)}` : ""}`, {
        method: isQuery ? "GET" : "POST",
        headers,
        ...(!isQuery && { body: json }),
        cache: "no-store",
        signal: deadline.signal,
      });
      body = await response.json().catch((error: unknown) => {
        // A proxy in front of the server may answer with any body.
        if (error instanceof SyntaxError) return undefined;
        throw error;
      });
    } catch (error) {
      if (signal?.aborted) throw reasonOf(signal);
      onDoubt();
      throw unreachable(error);
    } finally {
      clearTimeout(late);
      deadline.clear();
    }
    if (response.ok && isResult(body)) return body.result.data;
    if (response.status === 401) tokens.refuse(token);
    const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
    throw toKeenchatError(body, response.ok ? 502 : response.status, Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined);
  }

  async #headers(token: string | null, isQuery: boolean): Promise<Headers> {
    const { headers } = this.#options;
    const all = new Headers(typeof headers === "function" ? await headers() : headers);
    if (!isQuery) all.set("content-type", "application/json");
    if (token !== null) all.set("authorization", `Bearer ${token}`);
    return all;
  }
}

function isResult(body: unknown): body is { result: { data?: unknown } } {
  return typeof body === "object" && body !== null && "result" in body;
}
