/** The noun `message`: its shape, its events, its procedures. */
import { z } from "zod";
import type { Transaction } from "../../core/context.ts";
import { AppError } from "../../core/errors.ts";
import { loggedEvent } from "../../core/events/event.ts";
import { readPage } from "../../core/paging.ts";
import { Id, newestPage, oneDirection, oneDirectionMessage, text } from "../../core/schema.ts";
import { readProcedure, router, signedInProcedure } from "../../core/trpc.ts";
import { MessageEntity } from "./message.entity.ts";
import { postMessages } from "./message.post.ts";
import { findMessage, type MessageRecord, messageColumns } from "./message.queries.ts";
import { Message, toMessage } from "./message.shape.ts";

const MessageText = text(1, 10_000, { blank: false }).describe("1 to 10,000 characters, not blank; comes back exactly as sent.");
const ClientMessageId = text(1, 64).describe("Makes posting repeatable: unique per user. The header `Idempotency-Key` does the same.");

const putMessage = loggedEvent("put message", Message, "A message was changed.");
const deleteMessage = loggedEvent("delete message", z.object({ id: Id, channel_id: Id }), "A message was removed.");
export const messageEvents = [postMessages.event, putMessage, deleteMessage] as const;

async function find(transaction: Transaction, id: number): Promise<MessageRecord> {
  const row = await transaction.find(MessageEntity, { id });
  if (!row) throw new AppError("NOT_FOUND", "There is no such message.");
  const { channelId, userId, messageText, time, editedAt, clientMessageId } = row;
  return { id, channelId, userId, messageText, time, editedAt: editedAt ?? null, clientMessageId: clientMessageId ?? null };
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
      rest: { paged: true },
    })
    .input(
      z
        .object({ channel_id: Id.optional(), user_id: Id.optional(), ...newestPage })
        .refine(oneDirection, oneDirectionMessage)
        .prefault({}),
    )
    .output(z.array(Message))
    .query(async ({ ctx, input }) => {
      const where = [];
      if (input.channel_id !== undefined) where.push({ column: "channel_id", value: input.channel_id });
      if (input.user_id !== undefined) where.push({ column: "user_id", value: input.user_id });
      const rows = await readPage<MessageRecord>(ctx, { columns: messageColumns, table: "message", where, from: "newest" }, input);
      return rows.map(toMessage);
    }),

  get: readProcedure
    .meta({
      openapi: { method: "GET", path: "/message/{id}", tags: ["message"], summary: "Get one message." },
      rest: { errors: ["NOT_FOUND"] },
    })
    .input(z.object({ id: Id }))
    .output(Message)
    .query(async ({ ctx, input }) => {
      const row = await findMessage(ctx.read, input.id);
      if (!row) throw new AppError("NOT_FOUND", "There is no such message.");
      return toMessage(row);
    }),

  post: signedInProcedure
    .meta({
      openapi: { method: "POST", path: "/message", tags: ["message"], summary: "Post a message.", protect: true },
      rest: { success: 201, repeatable: true, errors: ["NOT_FOUND", "CONFLICT"], headers: { "idempotency-key": "client_message_id" } },
    })
    .input(z.object({ channel_id: Id, message_text: MessageText, client_message_id: ClientMessageId.optional() }))
    .output(Message)
    .mutation(async ({ ctx, input }) => {
      const { message, repeated } = await ctx.writeBatch(postMessages, {
        userId: ctx.caller.userId,
        channelId: input.channel_id,
        messageText: input.message_text,
        clientMessageId: input.client_message_id ?? null,
      });
      if (repeated) ctx.reply.status = 200;
      else ctx.presence.stopTyping(message.channel_id, message.user_id);
      return message;
    }),

  put: signedInProcedure
    .meta({
      openapi: { method: "PUT", path: "/message/{id}", tags: ["message"], summary: "Change a message's text. Its author.", protect: true },
      rest: { errors: ["FORBIDDEN", "NOT_FOUND"] },
    })
    .input(z.object({ id: Id, message_text: MessageText }))
    .output(Message)
    .mutation(({ ctx, input: { id, message_text: messageText } }) =>
      ctx.write(async (transaction) => {
        const row = await find(transaction, id);
        if (row.userId !== ctx.caller.userId) throw new AppError("FORBIDDEN", "Only its author may do this.");
        const editedAt = transaction.now;
        await transaction.update(MessageEntity, { id }, { messageText, editedAt });
        const message = toMessage({ ...row, messageText, editedAt });
        transaction.append(putMessage, message, { channelId: row.channelId, messageId: id });
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
        const row = await find(transaction, id);
        if (row.userId !== ctx.caller.userId && !ctx.caller.admin)
          throw new AppError("FORBIDDEN", "Only its author or an admin may do this.");
        await transaction.remove(MessageEntity, { id });
        transaction.blank({ messageId: id });
        transaction.append(deleteMessage, { id, channel_id: row.channelId }, { channelId: row.channelId, messageId: id });
      }),
    ),
});
