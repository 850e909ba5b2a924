/** Owns queries and mutations: one HTTP request each, so that a call never waits for the socket or for another call. */
import type { CallOptions } from "./call-options.ts";
import { KeenchatError, toKeenchatError, unreachable } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

const attempts = 3;
const firstDelayMs = 300;
const longestDelayMs = 5_000;

/** Verbs that only read; every other one changes something. */
const queryVerbs: ReadonlySet<string> = new Set(["list", "get", "session", "users"]);

export interface CallerOptions {
  readonly url: string;
  readonly tokens: Tokens;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
}

export class Caller {
  readonly #options: CallerOptions;

  constructor(options: CallerOptions) {
    this.#options = options;
  }

  /** Calls a procedure. One that may be repeated without harm is tried again where no good answer came. */
  async call(
    path: string,
    input: unknown = {},
    { signal, repeatable = isQuery(path) }: CallOptions & { repeatable?: boolean } = {},
  ): Promise<unknown> {
    const { tokens } = this.#options;
    if (tokens.loaded) await tokens.loaded;
    // Every attempt is its caller's, whoever signs in meanwhile. Signing in itself must work whatever became of the token before.
    const token = path === "auth.login" ? null : tokens.current;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#request(path, input, token, signal);
      } catch (error) {
        if (!(error instanceof KeenchatError) || !error.transient || !repeatable || attempt === attempts) throw error;
        const delayMs = error.retryAfterMs ?? firstDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random());
        if (delayMs > longestDelayMs) throw error;
        await pause(delayMs, signal);
      }
    }
  }

  async #request(path: string, input: unknown, token: string | null, signal: AbortSignal | undefined): Promise<unknown> {
    const { url, tokens, fetch, timeoutMs } = this.#options;
    const json = JSON.stringify(input);
    const query = isQuery(path);
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let body: unknown;
    try {
      response = await fetch(`${url}/trpc/${path}${query ? `?input=${encodeURIComponent(json)}` : ""}`, {
        method: query ? "GET" : "POST",
        headers: {
          ...(!query && { "content-type": "application/json" }),
          ...(token !== null && { authorization: `Bearer ${token}` }),
        },
        ...(!query && { body: json }),
        cache: "no-store",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      body = await response.json().catch((error: unknown) => {
        // Whoever stands between us and the server may answer with anything.
        if (error instanceof SyntaxError) return undefined;
        throw error;
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(error);
    }
    if (response.ok && isResult(body)) return body.result.data;
    if (response.status === 401) tokens.refuse(token);
    const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
    throw toKeenchatError(body, response.ok ? 502 : response.status, Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined);
  }
}

function isQuery(path: string): boolean {
  return queryVerbs.has(path.slice(path.indexOf(".") + 1));
}

function isResult(body: unknown): body is { result: { data?: unknown } } {
  return typeof body === "object" && body !== null && "result" in body;
}

/** Waits, unless the signal gives up first. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", giveUp);
      resolve();
    }, ms);
    signal?.addEventListener("abort", giveUp, { once: true });
    if (signal?.aborted) giveUp();
  });
}
