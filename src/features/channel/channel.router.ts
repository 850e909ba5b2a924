/** The noun `channel`: its shape, its events, its procedures. */
import { z } from "zod";
import type { Caller, Transaction } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { readPage } from "../../core/paging.ts";
import { forwardPage, Id, text } from "../../core/schema.ts";
import { readProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { ChannelEntity, RemovedChannelEntity } from "./channel.entity.ts";
import { type ChannelRecord, channelColumns, findChannel } from "./channel.queries.ts";

const Title = text(1, 64, { blank: false }).describe("1 to 64 characters, not blank.");
const Description = text(0, 1_000).default("").describe("At most 1,000 characters.");

export const Channel = z
  .object({
    id: Id,
    title: z.string(),
    description: z.string(),
    user_id: Id.nullable().describe("Who made it; null for the two original ones."),
  })
  .meta({ id: "Channel" });

export const channelEvents = [
  loggedEvent("post channel", Channel, "A channel was made."),
  loggedEvent("put channel", Channel, "A channel was changed."),
  loggedEvent("delete channel", z.object({ id: Id }), "A channel was removed, and its messages with it."),
] as const;
const [postChannel, putChannel, deleteChannel] = channelEvents;

function toChannel(row: ChannelRecord): z.infer<typeof Channel> {
  return { id: row.id, title: row.title, description: row.description, user_id: row.userId };
}

/** The channel, if this caller may change it. */
async function findOwn(transaction: Transaction, id: number, caller: Caller): Promise<ChannelRecord> {
  const row = await transaction.find(ChannelEntity, { id });
  if (!row) throw new AppError("NOT_FOUND", "There is no such channel.");
  if (row.userId !== caller.userId && !caller.admin) throw new AppError("FORBIDDEN", "Only its maker or an admin may do this.");
  return { id, title: row.title, description: row.description, userId: row.userId ?? null };
}

export const channelRouter = router({
  list: readProcedure
    .meta({
      openapi: { method: "GET", path: "/channel", tags: ["channel"], summary: "List channels, from the first, ascending." },
      rest: { paged: true },
    })
    .input(z.object(forwardPage).prefault({}))
    .output(z.array(Channel))
    .query(async ({ ctx, input }) => {
      const rows = await readPage<ChannelRecord>(ctx, { columns: channelColumns, table: "channel", where: [], from: "first" }, input);
      return rows.map(toChannel);
    }),

  get: readProcedure
    .meta({
      openapi: { method: "GET", path: "/channel/{id}", tags: ["channel"], summary: "Get one channel." },
      rest: { errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(Channel)
    .query(async ({ ctx, input }) => {
      const row = await findChannel(ctx.read, input.id);
      if (!row) throw new AppError("NOT_FOUND", "There is no such channel.");
      return toChannel(row);
    }),

  post: signedInProcedure
    .meta({
      openapi: { method: "POST", path: "/channel", tags: ["channel"], summary: "Make a channel.", protect: true },
      rest: { success: 201 },
    })
    .input(z.object({ title: Title, description: Description }))
    .output(Channel)
    .mutation(({ ctx, input }) =>
      ctx.write(async (transaction) => {
        const values = { title: input.title, description: input.description, userId: ctx.caller.userId };
        const channel = toChannel({ id: await transaction.insert(ChannelEntity, values), ...values });
        transaction.append(postChannel, channel, { channelId: channel.id });
        return channel;
      }),
    ),

  put: signedInProcedure
    .meta({
      openapi: {
        method: "PUT",
        path: "/channel/{id}",
        tags: ["channel"],
        summary: "Replace a channel's title and description. Its maker or an admin.",
        protect: true,
      },
      rest: { errors: ["FORBIDDEN", "NOT_FOUND"] },
    })
    .input(z.object({ id: Id, title: Title, description: Description }))
    .output(Channel)
    .mutation(({ ctx, input: { id, title, description } }) =>
      ctx.write(async (transaction) => {
        const row = await findOwn(transaction, id, ctx.caller);
        await transaction.update(ChannelEntity, { id }, { title, description });
        const channel = toChannel({ ...row, title, description });
        transaction.append(putChannel, channel, { channelId: id });
        return channel;
      }),
    ),

  delete: signedInProcedure
    .meta({
      openapi: {
        method: "DELETE",
        path: "/channel/{id}",
        tags: ["channel"],
        summary: "Remove a channel and its messages. Its maker or an admin.",
        protect: true,
      },
      rest: { success: 204, errors: ["FORBIDDEN", "NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(z.void())
    .mutation(({ ctx, input: { id } }) =>
      ctx.write(async (transaction) => {
        await findOwn(transaction, id, ctx.caller);
        transaction.blank({ channelId: id });
        const seq = transaction.append(deleteChannel, { id }, { channelId: id });
        await transaction.insert(RemovedChannelEntity, { channelId: id, seq });
      }),
    ),
});
