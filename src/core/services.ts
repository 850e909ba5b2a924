/** Owns how the context of a procedure is made, from the server's services and the request. */
import type { Caller, Origin } from "./caller.ts";
import type { Context, Reply } from "./context.ts";
import type { Socket, Stream } from "./presence.ts";
import type { SessionTokens } from "./tokens.ts";
import type { Batch, Transaction } from "./transaction.ts";

/** Where changes are made, each for a caller whose session is still there when the transaction is. */
interface Writes {
  write<T>(change: (transaction: Transaction) => Promise<T>, caller: Caller | null): Promise<T>;
  writeBatch<Value, Known, Result>(batch: Batch<Value, Known, Result>, value: Value, caller: Caller | null): Promise<Result>;
}

/** What is the same for every request. */
export type Services = Omit<
  Context,
  "caller" | "origin" | "requestId" | "reply" | "isFresh" | "socket" | "stream" | "tokens" | keyof Writes
> & {
  readonly tokens: SessionTokens;
  readonly writes: Writes;
};

export interface Request {
  readonly caller: Caller | null;
  readonly origin: Origin;
  readonly requestId: string;
  readonly isFresh?: boolean;
  readonly socket?: Socket;
  readonly stream?: Stream;
}

export function createContext(services: Services, request: Request, reply: Reply = {}): Context {
  const { writes, ...others } = services;
  const { caller } = request;
  return {
    ...others,
    ...request,
    reply,
    write: (change) => writes.write(change, caller),
    writeBatch: (batch, value) => writes.writeBatch(batch, value, caller),
  };
}
