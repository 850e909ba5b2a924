/** Owns the making of a procedure's context from what the server has and what the request brings. */
import type { Caller, Context, Origin, Reply, Socket } from "./context.ts";
import type { SessionTokens } from "./tokens.ts";

/** What is the same for every request. */
export type Services = Omit<Context, "caller" | "origin" | "requestId" | "reply" | "socket" | "tokens"> & {
  readonly tokens: SessionTokens;
};

export interface Request {
  readonly caller: Caller | null;
  readonly origin: Origin;
  readonly requestId: string;
  readonly socket?: Socket;
}

export function createContext(services: Services, request: Request, reply: Reply = {}): Context {
  return { ...services, ...request, reply };
}
