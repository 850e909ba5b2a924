/** Owns calling a procedure by its dotted name, outside of any adapter. */
import { callTRPCProcedure } from "@trpc/server";
import { appRouter } from "../api.ts";
import type { Context } from "../core/context.ts";
import type { Meta } from "../core/trpc.ts";

/** What a procedure says of itself. */
export interface ProcedureDefinition {
  readonly type: "query" | "mutation" | "subscription";
  readonly meta?: Meta;
  readonly inputs: readonly unknown[];
  readonly output?: unknown;
}

/** Every procedure's definition by its name, `message.post` for example. */
export const definitions: ReadonlyMap<string, ProcedureDefinition> = new Map(
  // tRPC keeps them flat by name, where its types have them nested.
  Object.entries(appRouter._def.procedures as unknown as Record<string, { _def: ProcedureDefinition }>).map(([path, { _def }]) => [
    path,
    _def,
  ]),
);

/** Calls a procedure; its input is read only once it is known that the caller may call it. */
export function callProcedure(path: string, ctx: Context, getRawInput: () => Promise<unknown>): Promise<unknown> {
  return callTRPCProcedure({
    router: appRouter,
    path,
    type: definitions.get(path)?.type ?? "query",
    ctx,
    getRawInput,
    signal: undefined,
    batchIndex: 0,
  });
}
