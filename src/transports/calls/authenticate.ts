/** Owns the way of a request over HTTP to the procedures that it calls: its address, the log's position, its body, its caller. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller, Origin } from "../../core/caller.ts";
import { describeError } from "../../core/errors.ts";
import type { Request, Services } from "../../core/services.ts";
import { definitions } from "./procedures.ts";

export interface AuthenticateOptions {
  readonly services: Services;
  readonly originOf: (request: IncomingMessage) => Origin;
  /** The cursor of the last committed event that this process knows. */
  readonly headCursor: () => string;
  /** Resolves once this process knows all that was committed before. */
  readonly fresh: () => Promise<void>;
  /** @throws AppError where too many answers wait to be read. */
  readonly admit: (address: string) => void;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
}

/** What a wire knows of the calls that a request makes. */
export interface HttpCalls<Body> {
  readonly procedures: readonly string[];
  /** Whether they change nothing. */
  readonly reads: boolean;
  readonly readToken: () => string | undefined;
  readonly readBody: () => Promise<Body>;
}

/**
 * Without a caller where no token is given, or where no procedure looks at it.
 * @throws AppError UNAUTHORIZED where the token is not good, and one of the procedures, or a name that is no procedure, needs it to be.
 */
async function findCaller(
  { procedures, reads, readToken }: Pick<HttpCalls<unknown>, "procedures" | "reads" | "readToken">,
  { tokens }: Services,
): Promise<Caller | null> {
  const words = procedures.map((name) => definitions.get(name)?.meta?.token);
  if (words.every((word) => word === "ignored")) return null;
  try {
    const token = readToken();
    return token === undefined ? null : await tokens.verify(token, { fresh: reads });
  } catch (error) {
    // In a batch the others ask for a caller themselves.
    if (describeError(error).code === "UNAUTHORIZED" && words.some((word) => word !== undefined)) return null;
    throw error;
  }
}

/** The same for REST and for tRPC. A request that reads gets the cursor to follow from. */
export async function authenticate<Body>(
  { request, response, requestId }: Exchange,
  calls: HttpCalls<Body>,
  { services, originOf, headCursor, fresh, admit }: AuthenticateOptions,
): Promise<{ asked: Omit<Request, "socket" | "stream">; body: Body }> {
  const origin = originOf(request);
  admit(origin.address);
  const showCursor = () => calls.reads && response.setHeader("X-Keenchat-Cursor", headCursor());
  showCursor();
  const body = await calls.readBody();
  const [caller] = await Promise.all([findCaller(calls, services), calls.reads && fresh()]);
  // Taken before anything is read: a client that follows from here misses nothing that the answer does not hold.
  showCursor();
  return { asked: { caller, origin, requestId, isFresh: calls.reads }, body };
}
