/** Owns the one table of error codes and the one way an error becomes what a client reads, on every wire. */
import { TRPCError } from "@trpc/server";
import { z } from "zod";
import { maxBodyText } from "./limits.ts";

/** Each code is one of tRPC; the status is HTTP's; the text is the default message. */
export const errorCodes = {
  BAD_REQUEST: { status: 400, text: "Invalid input." },
  UNAUTHORIZED: { status: 401, text: "Please pass an auth token." },
  FORBIDDEN: { status: 403, text: "You may not do this." },
  NOT_FOUND: { status: 404, text: "Not found." },
  METHOD_NOT_SUPPORTED: { status: 405, text: "Method not allowed." },
  CONFLICT: { status: 409, text: "Conflict." },
  PAYLOAD_TOO_LARGE: { status: 413, text: `The body is larger than ${maxBodyText}.` },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, text: "Send JSON with the header Content-Type: application/json." },
  TOO_MANY_REQUESTS: { status: 429, text: "Too many requests." },
  INTERNAL_SERVER_ERROR: { status: 500, text: "Internal server error." },
  SERVICE_UNAVAILABLE: { status: 503, text: "The service is not available right now. Please retry." },
} as const satisfies Partial<Record<TRPCError["code"], { status: number; text: string }>>;

export type ErrorCode = keyof typeof errorCodes;

/** An error for clients. A client gets any other error as INTERNAL_SERVER_ERROR, without its message. */
export class AppError extends TRPCError {
  /** Seconds until a retry makes sense; sent as `Retry-After`. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string = errorCodes[code].text, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super({ code, message, cause: options.cause });
    this.name = "AppError";
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

export function tooManyConnections(): AppError {
  return new AppError("TOO_MANY_REQUESTS", "Too many connections from this address.", { retryAfterSeconds: 10 });
}

export function serverStopping(): AppError {
  return new AppError("SERVICE_UNAVAILABLE", "The server is stopping.", { retryAfterSeconds: 1 });
}

export function invalidToken(cause?: unknown): AppError {
  return new AppError("UNAUTHORIZED", "The auth token is not valid.", { cause });
}

/** Where in the input something is wrong, and what. */
export interface Issue {
  path: (string | number)[];
  message: string;
}

export interface ErrorDescription {
  code: ErrorCode;
  status: number;
  message: string;
  issues?: Issue[];
  retryAfterSeconds?: number;
}

const InputIssue = z.object({ path: z.array(z.union([z.string(), z.int()])), message: z.string() }).meta({ id: "InputIssue" });

/** The body of every REST error. `error` and `message` are the same text: the original API had `error`. */
export const ErrorBody = z
  .object({
    error: z.string().describe("What went wrong, for a person."),
    message: z.string().describe("The same text as `error`."),
    code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]).describe("What went wrong, for a program."),
    request_id: z.string().meta({ description: "Names this request in the server's log; also in `X-Request-Id`.", examples: ["q3v9x2k1"] }),
    issues: z.array(InputIssue).optional().describe("Each thing that is wrong with the input."),
  })
  .meta({ id: "ApiError" });

export type ErrorBody = z.infer<typeof ErrorBody>;

/** The input errors of one request; our own messages are sentences, Zod's are put behind the name of their field. */
function describeIssues(error: z.core.$ZodError): Issue[] {
  return error.issues
    .slice(0, 20)
    .map((issue) => ({ path: issue.path.map((part) => (typeof part === "symbol" ? String(part) : part)), message: issue.message }));
}

function summarize(issues: Issue[]): string {
  const [first] = issues;
  if (!first) return errorCodes.BAD_REQUEST.text;
  return first.message.endsWith(".") || first.path.length === 0 ? first.message : `${first.path.join(".")}: ${first.message}.`;
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code);
}

/**
 * What a client may know of an error. Messages pass only from AppError, Zod and tRPC's own refusals (4xx);
 * the message of anything else may hold SQL or values and stays in the log.
 */
export function describeError(error: unknown): ErrorDescription {
  if (!(error instanceof TRPCError)) return describe("INTERNAL_SERVER_ERROR");
  if (error instanceof AppError) {
    const described = describe(error.code as ErrorCode, error.message);
    return error.retryAfterSeconds === undefined ? described : { ...described, retryAfterSeconds: error.retryAfterSeconds };
  }
  if (error.cause instanceof AppError) return describeError(error.cause);
  if (error.cause instanceof z.core.$ZodError && error.code === "BAD_REQUEST") {
    const issues = describeIssues(error.cause);
    return { ...describe("BAD_REQUEST", summarize(issues)), issues };
  }
  // The message of a JSON parser quotes the input.
  if (error.code === "PARSE_ERROR" || error.cause instanceof SyntaxError) return describe("BAD_REQUEST", "The input is not valid JSON.");
  if (!isCode(error.code) || error.code === "INTERNAL_SERVER_ERROR") return describe("INTERNAL_SERVER_ERROR");
  return describe(error.code, error.message);
}

function describe(code: ErrorCode, message: string = errorCodes[code].text): ErrorDescription {
  return { code, status: errorCodes[code].status, message };
}

export function toErrorBody(description: ErrorDescription, requestId: string): ErrorBody {
  const { message, code, issues } = description;
  return { error: message, message, code, request_id: requestId, ...(issues && { issues }) };
}
