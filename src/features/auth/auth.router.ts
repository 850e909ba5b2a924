/** Signing in and out: a session is a row, its token proves it. */
import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { endSession } from "../../core/events/internal.ts";
import { Id, Storable, Time } from "../../core/schema.ts";
import { openProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { findUserWithHash } from "../user/user.queries.ts";
import { SessionEntity } from "./session.entity.ts";

/** Any text may be tried: what no user can have is just wrong. */
const credentials = {
  username: Storable.meta({ examples: ["ann"] }),
  password: Storable.meta({ examples: ["correct horse"] }),
};

const Nothing = z.object({}).prefault({});

const TokenValue = z
  .string()
  .meta({ description: "Send it as `Authorization: Bearer TOKEN`.", examples: ["eyJhbGciOiJIUzI1NiJ9.eyJzaWQiOjF9.c2lnbmF0dXJl"] });

const Session = z.object({ user_id: Id, token_value: TokenValue, expires_at: Time }).meta({ id: "Session" });

const Self = z.object({ user_id: Id, username: credentials.username, admin: z.boolean(), expires_at: Time }).meta({ id: "CurrentSession" });

export const authRouter = router({
  login: openProcedure
    .meta({
      openapi: { method: "POST", path: "/auth", tags: ["auth"], summary: "Sign in." },
      token: "ignored",
      rest: { errors: ["UNAUTHORIZED", "TOO_MANY_REQUESTS"] },
    })
    .input(z.object(credentials))
    .output(Session)
    .mutation(async ({ ctx, input }) => {
      const user = await findUserWithHash(ctx.read, input.username);
      const right = await ctx.passwords.verify(input.password, user?.password_hash);
      if (!right || !user) throw new AppError("UNAUTHORIZED", "Invalid details.");
      const session = { user_id: user.id, expires_at: ctx.clock.now() + ctx.rules.tokenTtlMs };
      const session_id = await ctx.write((transaction) => transaction.insert(SessionEntity, { ...session, created_at: transaction.now }));
      return { ...session, token_value: await ctx.tokens.sign({ ...session, session_id }) };
    }),

  session: signedInProcedure
    .meta({ openapi: { method: "GET", path: "/auth", tags: ["auth"], summary: "Who the token belongs to.", protect: true } })
    .input(Nothing)
    .output(Self)
    .query(({ ctx }) => ctx.caller),

  logout: signedInProcedure
    .meta({
      openapi: {
        method: "DELETE",
        path: "/auth",
        tags: ["auth"],
        summary: "Sign out: the token ends, and so do its sockets and streams.",
        protect: true,
      },
      rest: { success: 204 },
    })
    .input(Nothing)
    .output(z.void())
    .mutation(async ({ ctx }) => {
      const { session_id } = ctx.caller;
      await ctx.write(async (transaction) => {
        await transaction.remove(SessionEntity, { id: session_id });
        transaction.append(endSession, { session_id });
      });
    }),
});
