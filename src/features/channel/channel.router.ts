/** The noun `channel`: its shape, its events, its procedures. */
import { z } from "zod";
import type { Caller } from "../../core/caller.ts";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { maxDescriptionCharacters, maxTitleCharacters } from "../../core/limits.ts";
import { readPage } from "../../core/paging.ts";
import { readResource } from "../../core/resource.ts";
import { forwardPage, Id, text } from "../../core/schema.ts";
import type { Read } from "../../core/transaction.ts";
import { readProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { ChannelEntity, RemovedChannelEntity } from "./channel.entity.ts";
import { deleteChannel, noSuchChannel } from "./channel.queries.ts";

const Title = text(1, maxTitleCharacters, { blank: false }).meta({
  description: `1 to ${maxTitleCharacters} characters, not blank.`,
  examples: ["General"],
});
const Description = text(0, maxDescriptionCharacters)
  .default("")
  .describe(`At most ${maxDescriptionCharacters.toLocaleString("en")} characters.`);

export const Channel = z
  .object({
    id: Id,
    title: z.string().meta({ examples: ["General"] }),
    description: z.string().meta({ examples: ["General discussion."] }),
    user_id: Id.nullable().describe("Who made it; null for the two original ones."),
  })
  .meta({ id: "Channel" });

export const channelEvents = [
  loggedEvent("post channel", Channel, "A channel was made."),
  loggedEvent("put channel", Channel, "A channel was changed."),
  deleteChannel,
] as const;
const [postChannel, putChannel] = channelEvents;

async function find(read: Read, id: number): Promise<z.infer<typeof Channel>> {
  const channel = await readResource(read, Channel, "channel", id);
  if (!channel) throw noSuchChannel();
  return channel;
}

/** The channel, if this caller may change it. */
async function findOwn(read: Read, id: number, caller: Caller): Promise<z.infer<typeof Channel>> {
  const channel = await find(read, id);
  if (channel.user_id !== caller.user_id && !caller.admin) throw new AppError("FORBIDDEN", "Only its maker or an admin may do this.");
  return channel;
}

export const channelRouter = router({
  list: readProcedure
    .meta({
      openapi: { method: "GET", path: "/channel", tags: ["channel"], summary: "List channels, from the first, ascending." },
      large: true,
      rest: { paged: true },
    })
    .input(z.object(forwardPage).prefault({}))
    .output(z.array(Channel))
    .query(({ ctx, input }) => readPage(ctx, { shape: Channel, table: "channel", where: [], from: "first" }, input)),

  get: readProcedure
    .meta({
      openapi: { method: "GET", path: "/channel/{id}", tags: ["channel"], summary: "Get one channel." },
      rest: { errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(Channel)
    .query(({ ctx, input }) => find(ctx.read, input.id)),

  post: signedInProcedure
    .meta({
      openapi: { method: "POST", path: "/channel", tags: ["channel"], summary: "Make a channel.", protect: true },
      rest: { success: 201 },
    })
    .input(z.object({ title: Title, description: Description }))
    .output(Channel)
    .mutation(({ ctx, input }) =>
      ctx.write(async (transaction) => {
        const row = { ...input, user_id: ctx.caller.user_id };
        const channel = { id: await transaction.insert(ChannelEntity, row), ...row };
        transaction.append(postChannel, channel, { channel_id: channel.id });
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
    .mutation(({ ctx, input: { id, ...changes } }) =>
      ctx.write(async (transaction) => {
        const channel = { ...(await findOwn(transaction, id, ctx.caller)), ...changes };
        await transaction.update(ChannelEntity, { id }, changes);
        transaction.append(putChannel, channel, { channel_id: id });
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
        transaction.blank({ channel_id: id });
        const seq = transaction.append(deleteChannel, { id }, { channel_id: id });
        await transaction.insert(RemovedChannelEntity, { channel_id: id, seq });
      }),
    ),
});
