/** Owns calling a procedure by its dotted name, outside of any adapter. */
import { getTRPCErrorFromUnknown, type TRPCError } from "@trpc/server";
import { appRouter } from "../../api.ts";
import type { Context } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import type { Meta } from "../../core/trpc.ts";

/** The definition of a procedure, as tRPC keeps it. */
export interface ProcedureDefinition {
  readonly type: "query" | "mutation" | "subscription";
  readonly meta?: Meta;
  readonly inputs: readonly unknown[];
  readonly output?: unknown;
  readonly middlewares: readonly Step[];
}

/** Every procedure's definition by its name, `message.post` for example. */
export const definitions: ReadonlyMap<string, ProcedureDefinition> = new Map(
  // tRPC keeps them flat by name, where its types have them nested.
  Object.entries(appRouter._def.procedures as unknown as Record<string, { _def: ProcedureDefinition }>).map(([path, { _def }]) => [
    path,
    _def,
  ]),
);

/** `kind`: what the name was to be. */
export function noSuchProcedure(path: string, kind: ProcedureDefinition["type"] | "procedure" = "procedure"): AppError {
  return new AppError("NOT_FOUND", `There is no ${kind} ${path}.`);
}

interface Call {
  readonly path: string;
  readonly type: ProcedureDefinition["type"];
  readonly ctx: Context;
  readonly getRawInput: () => Promise<unknown>;
  readonly input: unknown;
  readonly signal: AbortSignal | undefined;
  readonly batchIndex: number;
}

/** What a step may hand to the next one. */
type Changes = Partial<Pick<Call, "ctx" | "input" | "getRawInput">>;

type Outcome = { ok: true; data: unknown } | { ok: false; error: TRPCError };

/** One of the steps that tRPC's builder has put a procedure together from: input, rights, output, and at the end the resolver. */
type Step = (call: Call & { meta: Meta | undefined; next: (changes?: Changes) => Promise<Outcome> }) => Promise<Outcome>;

/** The context that a step passes on is merged into the one before, as in tRPC. */
function change(call: Call, changes: Changes | undefined): Call {
  if (!changes) return call;
  const ctx = changes.ctx ? { ...call.ctx, ...changes.ctx } : call.ctx;
  return { ...call, ...changes, ctx, getRawInput: changes.getRawInput ?? call.getRawInput };
}

/**
 * Takes the steps one after the other, as tRPC does, which copies a call's options four times at each of them, property by property:
 * a quarter of what posting a message cost.
 */
async function take(steps: readonly Step[], index: number, meta: Meta | undefined, call: Call): Promise<Outcome> {
  try {
    const step = steps[index];
    if (!step) throw new Error("A procedure ends with its resolver.");
    return await step({ ...call, meta, next: (changes) => take(steps, index + 1, meta, change(call, changes)) });
  } catch (error) {
    return { ok: false, error: getTRPCErrorFromUnknown(error) };
  }
}

/**
 * Calls a procedure; its input is read only once it is known that the caller may call it. `signal` aborts when the caller leaves: what
 * only reads may then stop.
 */
export async function callProcedure(
  path: string,
  ctx: Context,
  getRawInput: () => Promise<unknown>,
  signal?: AbortSignal,
): Promise<unknown> {
  const definition = definitions.get(path);
  if (!definition) throw noSuchProcedure(path);
  const { type, meta, middlewares } = definition;
  const call = () => take(middlewares, 0, meta, { path, type, ctx, getRawInput, input: undefined, signal, batchIndex: 0 });
  const outcome = await (meta?.large ? ctx.inTurn(ctx.origin.address, call, signal) : call());
  if (!outcome.ok) throw outcome.error;
  return outcome.data;
}
