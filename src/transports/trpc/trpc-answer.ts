/** Owns what a tRPC client reads of a call, on either of its wires: the output, or an error in tRPC's shape. */
import { getErrorShape, getTRPCErrorFromUnknown } from "@trpc/server";
import { appRouter } from "../../api.ts";
import type { Context } from "../../core/context.ts";
import { describeError } from "../../core/errors.ts";
import { callProcedure, type ProcedureDefinition } from "../calls/procedures.ts";

export interface TrpcCall {
  readonly path: string;
  readonly type: ProcedureDefinition["type"] | "unknown";
  readonly context: Context;
  readonly getRawInput: () => Promise<unknown>;
  readonly signal?: AbortSignal | undefined;
}

/** `data` and `error` are JSON; a procedure without output leaves `data` undefined. */
export type Answer =
  | { readonly status: 200; readonly data: string | undefined; readonly error?: undefined }
  | { readonly status: number; readonly error: string; readonly retryAfterSeconds: number | undefined };

export function errorShape(error: unknown, { path, type = "unknown", context }: Pick<TrpcCall, "context"> & Partial<TrpcCall>) {
  return getErrorShape({
    config: appRouter._def._config,
    error: getTRPCErrorFromUnknown(error),
    type,
    path,
    input: undefined,
    ctx: context,
  });
}

/** Calls a procedure; its errors are answers too. */
export async function answerCall(call: TrpcCall): Promise<Answer> {
  try {
    const output = await callProcedure(call.path, call.context, call.getRawInput, call.signal);
    return { status: 200, data: JSON.stringify(output) };
  } catch (error) {
    const { status, retryAfterSeconds } = describeError(error);
    return { status, error: JSON.stringify(errorShape(error, call)), retryAfterSeconds };
  }
}
