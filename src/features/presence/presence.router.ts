/** Who is in a channel and who is typing there: procedures of the noun `channel` about the moment, nothing of it stored. */
import { z } from "zod";
import { latest } from "../../core/latest.ts";
import { typingMs } from "../../core/limits.ts";
import { Id } from "../../core/schema.ts";
import { readProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { requireChannel } from "../channel/channel.queries.ts";
import { ChannelUsers } from "./presence.events.ts";

export const presenceRouter = router({
  users: readProcedure
    .meta({
      openapi: { method: "GET", path: "/channel/{id}/users", tags: ["channel"], summary: "Who is in a channel now." },
      rest: { errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(ChannelUsers)
    .query(async ({ ctx, input: { id } }) => {
      await requireChannel(ctx.read, id);
      return { channel_id: id, users: ctx.presence.users(id) };
    }),

  startTyping: signedInProcedure
    .meta({
      openapi: {
        method: "POST",
        path: "/channel/{id}/typing",
        tags: ["channel"],
        summary: `Say that the caller is typing; it ends after ${typingMs / 1_000} s of silence.`,
        protect: true,
      },
      rest: { success: 204, errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(z.void())
    .mutation(async ({ ctx, input: { id } }) => {
      await requireChannel(ctx.read, id);
      const userId = ctx.caller.user_id;
      ctx.presence.startTyping(id, userId);
      ctx.socket?.onClose(`typing:${id}`, () => ctx.presence.stopTyping(id, userId));
    }),

  stopTyping: signedInProcedure
    .meta({
      openapi: {
        method: "DELETE",
        path: "/channel/{id}/typing",
        tags: ["channel"],
        summary: "Say that the caller has stopped typing.",
        protect: true,
      },
      rest: { success: 204, errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(z.void())
    .mutation(async ({ ctx, input: { id } }) => {
      await requireChannel(ctx.read, id);
      ctx.presence.stopTyping(id, ctx.caller.user_id);
    }),

  /** While it is open the caller is in that channel. Yields who is in it, at once and at each change. */
  presence: signedInProcedure.input(z.object({ id: Id })).subscription(async function* ({
    ctx,
    input: { id },
    signal,
  }): AsyncGenerator<z.infer<typeof ChannelUsers>, void> {
    await requireChannel(ctx.read, id);
    const leave = ctx.presence.enter(id, ctx.caller.user_id);
    const changes = latest<number[]>(signal);
    const unwatch = ctx.presence.watch(id, (users) => (users ? changes.set(users) : changes.end()));
    let told = "";
    try {
      changes.set(ctx.presence.users(id));
      for await (const users of changes) {
        // The caller's own coming in is announced a moment after it was told.
        if (users.join() === told) continue;
        told = users.join();
        yield { channel_id: id, users };
      }
    } finally {
      unwatch();
      leave({ lingering: !ctx.socket?.open, renewing: ctx.stream?.renewing ?? false });
    }
  }),
});
