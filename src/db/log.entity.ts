/** The tables of the event log and of the counter row that orders it, and the settings this database made for itself. */
import { defineEntity, p } from "@mikro-orm/core";
import { rowId } from "../core/row-id.ts";

export const EventEntity = defineEntity({
  name: "Event",
  tableName: "event",
  indexes: [{ properties: ["channel_id", "seq"] }, { properties: ["message_id", "seq"] }],
  properties: {
    /** The position: commit order, without holes. */
    seq: rowId(),
    /** Differs wherever two histories of one database could share a position, after a restored backup for example. */
    tag: p.string().length(16),
    name: p.string().length(32),
    channel_id: p.bigint("number").nullable(),
    message_id: p.bigint("number").nullable(),
    /** JSON as it goes out; null once the thing it told of was deleted. */
    payload: p.text().nullable(),
    at: p.bigint("number"),
  },
});

/** One row. Every write locks it first; message ids and positions come from it, so their order is the order of commits. */
export const CounterEntity = defineEntity({
  name: "Counter",
  tableName: "counter",
  properties: {
    id: p.integer().primary().autoincrement(false),
    seq: p.bigint("number"),
    message_id: p.bigint("number"),
  },
});

export const SettingEntity = defineEntity({
  name: "Setting",
  tableName: "setting",
  properties: {
    name: p.string().length(64).primary(),
    value: p.text(),
  },
});
