/** Owns the only error class of this package. */
import type { ErrorCode } from "./wire.ts";

/** A problem of the input: its place and its description. */
export interface Issue {
  path: (string | number)[];
  message: string;
}

export interface KeenchatErrorOptions {
  code: ErrorCode | "UNREACHABLE";
  status?: number | undefined;
  issues?: Issue[] | undefined;
  requestId?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/** A refusal by the server, or the lack of an answer. `message` is a sentence for a person. */
export class KeenchatError extends Error {
  /** The reason, for programs. `UNREACHABLE`: no answer came, and the call may or may not have had its effect. */
  readonly code: ErrorCode | "UNREACHABLE";
  /** The HTTP status; 0 if no answer came. */
  readonly status: number;
  /** All problems of the input; empty if the input is not the reason. */
  readonly issues: Issue[];
  /** Identifies the request in the server's log. */
  readonly requestId: string | undefined;
  /** Milliseconds until a retry makes sense, if the server said so. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options: KeenchatErrorOptions) {
    super(message, { cause: options.cause });
    this.name = "KeenchatError";
    this.code = options.code;
    this.status = options.status ?? 0;
    this.issues = options.issues ?? [];
    this.requestId = options.requestId;
    this.retryAfterMs = options.retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get transient(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** How the server writes an error: as tRPC does, or, before a request reaches tRPC, as REST does. */
interface ErrorBody {
  error?: { message?: string; data?: { code?: ErrorCode; httpStatus?: number; request_id?: string; issues?: Issue[] } } | string;
  code?: ErrorCode;
  request_id?: string;
  issues?: Issue[];
}

function codeOf(status: number): ErrorCode {
  if (status === 401) return "UNAUTHORIZED";
  if (status === 404) return "NOT_FOUND";
  if (status === 429) return "TOO_MANY_REQUESTS";
  return status >= 500 ? "SERVICE_UNAVAILABLE" : "BAD_REQUEST";
}

/** Reads an error from a body of the server, or from the status alone if a proxy answered. */
export function toKeenchatError(body: unknown, status: number, retryAfterMs?: number): KeenchatError {
  const { error, ...rest } = (typeof body === "object" && body !== null ? body : {}) as ErrorBody;
  const data = typeof error === "object" ? error.data : undefined;
  const message = typeof error === "object" ? error.message : error;
  return new KeenchatError(message ?? `The server answered with status ${status}.`, {
    code: data?.code ?? rest.code ?? codeOf(status),
    status: data?.httpStatus ?? status,
    issues: data?.issues ?? rest.issues,
    requestId: data?.request_id ?? rest.request_id,
    retryAfterMs,
  });
}

export function unreachable(cause?: unknown): KeenchatError {
  return new KeenchatError("The server cannot be reached.", { code: "UNREACHABLE", cause });
}
