/** Owns how a procedure is made: its context, its REST path, its errors, and who may call it. */
import { initTRPC } from "@trpc/server";
import type { OpenApiMeta } from "trpc-to-openapi";
import type { Caller } from "./caller.ts";
import type { Context } from "./context.ts";
import { AppError, describeError, type ErrorCode, type Issue } from "./errors.ts";
import { heartbeatMs } from "./limits.ts";
import { nextRequestId } from "./random.ts";

/** The properties of a procedure beyond its shapes. */
export interface Meta extends OpenApiMeta {
  /** Over HTTP a token has to be good. Not here: one that is not counts as none, or is not even looked at. */
  token?: "optional" | "ignored";
  /** Its answer may be as large as any gets: it is made in a turn of its caller's address. */
  large?: boolean;
  /** What REST answers beside 200, and which refusals a caller has to reckon with beyond those every operation shares. */
  rest?: {
    /** The status of success; 200 where it is missing. */
    success?: 200 | 201 | 204;
    /** Also answers 200 when the same request was made before. */
    repeatable?: boolean;
    errors?: readonly ErrorCode[];
    /** Header that stands in for a field of the body. */
    headers?: Readonly<Record<string, string>>;
    /** Answers with a list whose `Link` header continues it. */
    paged?: boolean;
  };
}

/** What a tRPC client reads in `error.data`. */
export interface ErrorData {
  code: string;
  httpStatus: number;
  path?: string;
  request_id: string;
  issues?: Issue[];
}

const t = initTRPC
  .context<Context>()
  .meta<Meta>()
  .create({
    isDev: false,
    // A subscription over HTTP is silent for no longer than any other wire; a client that receives nothing connects again.
    sse: { ping: { enabled: true, intervalMs: heartbeatMs }, client: { reconnectAfterInactivityMs: 3 * heartbeatMs } },
    errorFormatter({ shape, error, ctx, path }) {
      const { code, status, message, issues } = describeError(error);
      const data: ErrorData = {
        code,
        httpStatus: status,
        request_id: ctx?.requestId ?? nextRequestId(),
        ...(path !== undefined && { path }),
        ...(issues && { issues }),
      };
      return { ...shape, message, data };
    },
  });

export const router = t.router;
export const mergeRouters = t.mergeRouters;

/** Logs an error that the code does not expect, with its request, before it becomes a bare INTERNAL_SERVER_ERROR. */
function observe(result: { ok: boolean; error?: Error }, { ctx, path }: { ctx: Context; path: string }): void {
  if (result.error === undefined || describeError(result.error).code !== "INTERNAL_SERVER_ERROR") return;
  ctx.logger.error({ err: result.error.cause ?? result.error, path, request_id: ctx.requestId }, "a procedure failed");
}

// One middleware each: tRPC copies a call's options several times for every one it passes.

/** For anybody, whatever has become of the token in their header. */
export const openProcedure = t.procedure.meta({ token: "optional" }).use(async (call) => {
  const result = await call.next();
  observe(result, call);
  return result;
});

/** For anybody, or only for those signed in where `ANONYMOUS_READ` is false. */
export const readProcedure = t.procedure.use(async (call) => {
  if (!call.ctx.rules.anonymousRead && !call.ctx.caller) throw new AppError("UNAUTHORIZED");
  const result = await call.next();
  observe(result, call);
  return result;
});

/** For those signed in: `ctx.caller` is there. */
export const signedInProcedure = t.procedure.use(async (call) => {
  const { caller } = call.ctx;
  if (!caller) throw new AppError("UNAUTHORIZED");
  // Typed as a new context, and the same one: a copy would cost more than the call.
  const result = await call.next<{ caller: Caller }>({});
  observe(result, call);
  return result;
});
