/** The noun `message`: its shape, its events, its procedures. */
import { z } from "zod";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { maxClientMessageIdCharacters, maxMessageCharacters } from "../../core/limits.ts";
import { readPage } from "../../core/paging.ts";
import { readResource } from "../../core/resource.ts";
import { Id, newestPage, oneDirection, oneDirectionMessage, text } from "../../core/schema.ts";
import type { Read } from "../../core/transaction.ts";
import { readProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { MessageEntity } from "./message.entity.ts";
import { postMessages } from "./message.post.ts";
import { Message } from "./message.shape.ts";

const MessageText = text(1, maxMessageCharacters, { blank: false }).meta({
  description: `1 to ${maxMessageCharacters.toLocaleString("en")} characters, not blank; comes back exactly as sent.`,
  examples: ["Hello!"],
});
const ClientMessageId = text(1, maxClientMessageIdCharacters).describe(
  "Makes posting repeatable: unique per user. The header `Idempotency-Key` does the same.",
);

const putMessage = loggedEvent("put message", Message, "A message was changed.");
const deleteMessage = loggedEvent("delete message", z.object({ id: Id, channel_id: Id }), "A message was removed.");
export const messageEvents = [postMessages.event, putMessage, deleteMessage] as const;

function noSuchMessage(): AppError {
  return new AppError("NOT_FOUND", "There is no such message.");
}

async function find(read: Read, id: number): Promise<Message> {
  const message = await readResource(read, Message, "message", id);
  if (!message) throw noSuchMessage();
  return message;
}

export const messageRouter = router({
  list: readProcedure
    .meta({
      openapi: {
        method: "GET",
        path: "/message",
        tags: ["message"],
        summary: "List messages: the newest, or those before or after one; always ascending.",
      },
      large: true,
      rest: { paged: true },
    })
    .input(
      z
        .object({ channel_id: Id.optional(), user_id: Id.optional(), ...newestPage })
        .refine(oneDirection, oneDirectionMessage)
        .prefault({}),
    )
    .output(z.array(Message))
    .query(({ ctx, input }) => {
      const where = [];
      if (input.channel_id !== undefined) where.push({ column: "channel_id", value: input.channel_id });
      if (input.user_id !== undefined) where.push({ column: "user_id", value: input.user_id });
      return readPage(ctx, { shape: Message, table: "message", where, from: "newest" }, input);
    }),

  get: readProcedure
    .meta({
      openapi: { method: "GET", path: "/message/{id}", tags: ["message"], summary: "Get one message." },
      rest: { errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(Message)
    .query(({ ctx, input }) => find(ctx.read, input.id)),

  post: signedInProcedure
    .meta({
      openapi: { method: "POST", path: "/message", tags: ["message"], summary: "Post a message.", protect: true },
      rest: { success: 201, repeatable: true, errors: ["NOT_FOUND", "CONFLICT"], headers: { "idempotency-key": "client_message_id" } },
    })
    .input(z.object({ channel_id: Id, message_text: MessageText, client_message_id: ClientMessageId.optional() }))
    .output(Message)
    .mutation(async ({ ctx, input }) => {
      const { message, repeated } = await ctx.writeBatch(postMessages, { ...input, user_id: ctx.caller.user_id });
      if (repeated) ctx.reply.status = 200;
      else ctx.presence.stopTyping(message.channel_id, message.user_id, { atOnce: true });
      return message;
    }),

  put: signedInProcedure
    .meta({
      openapi: { method: "PUT", path: "/message/{id}", tags: ["message"], summary: "Change a message's text. Its author.", protect: true },
      rest: { errors: ["FORBIDDEN", "NOT_FOUND"] },
    })
    .input(z.object({ id: Id, message_text: MessageText }))
    .output(Message)
    .mutation(({ ctx, input: { id, message_text } }) =>
      ctx.write(async (transaction) => {
        const before = await find(transaction, id);
        if (before.user_id !== ctx.caller.user_id) throw new AppError("FORBIDDEN", "Only its author may do this.");
        const changes = { message_text, edited_at: transaction.now };
        await transaction.update(MessageEntity, { id }, changes);
        const message = { ...before, ...changes };
        transaction.append(putMessage, message, { channel_id: message.channel_id, message_id: id });
        return message;
      }),
    ),

  delete: signedInProcedure
    .meta({
      openapi: {
        method: "DELETE",
        path: "/message/{id}",
        tags: ["message"],
        summary: "Remove a message. Its author or an admin.",
        protect: true,
      },
      rest: { success: 204, errors: ["FORBIDDEN", "NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(z.void())
    .mutation(({ ctx, input: { id } }) =>
      ctx.write(async (transaction) => {
        const { user_id, channel_id } = await find(transaction, id);
        if (user_id !== ctx.caller.user_id && !ctx.caller.admin)
          throw new AppError("FORBIDDEN", "Only its author or an admin may do this.");
        await transaction.remove(MessageEntity, { id });
        transaction.blank({ message_id: id });
        transaction.append(deleteMessage, { id, channel_id }, { channel_id, message_id: id });
      }),
    ),
});
