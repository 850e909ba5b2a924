/** The measure of posting on PostgreSQL: node:http and a pool of 32, each post a transaction of its own that keeps order as ours do: the counter row first. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import pg from "pg";

const pool = new pg.Pool({ connectionString: process.env["DATABASE_URL"], max: 32 });
await pool.query(`
  create table counter (id int primary key, seq bigint not null, message_id bigint not null);
  create table message (id bigint primary key, channel_id bigint not null, user_id bigint not null, message_text text not null, time bigint not null);
  create index on message (channel_id, id);
  create index on message (user_id, id);
  create table event (seq bigint primary key, name text not null, channel_id bigint not null, message_id bigint not null, payload text not null, at bigint not null);
  create index on event (channel_id, seq);
  create index on event (message_id);
  insert into counter values (1, 0, 0)`);

const lock = { name: "lock", text: "select seq, message_id from counter where id = 1 for update" };
const insertMessage = { name: "message", text: "insert into message values ($1, $2, $3, $4, $5)" };
const insertEvent = { name: "event", text: "insert into event values ($1, $2, $3, $4, $5, $6)" };
const moveCounter = { name: "counter", text: "update counter set seq = $1, message_id = $2 where id = 1" };

async function insert(channelId: number, text: string): Promise<string> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    const [counter] = (await client.query<{ seq: string; message_id: string }>(lock)).rows;
    const [seq, id, time] = [Number(counter?.seq) + 1, Number(counter?.message_id) + 1, Date.now()];
    const message = JSON.stringify({ id, channel_id: channelId, user_id: 1, message_text: text, time });
    await client.query({ ...insertMessage, values: [id, channelId, 1, text, time] });
    await client.query({ ...insertEvent, values: [seq, "post message", channelId, id, message, time] });
    await client.query({ ...moveCounter, values: [seq, id] });
    await client.query("commit");
    return message;
  } finally {
    client.release();
  }
}

function post(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", async () => {
    const { channel_id, message_text } = JSON.parse(Buffer.concat(chunks).toString());
    const body = await insert(channel_id, message_text);
    response.writeHead(201, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) });
    response.end(body);
  });
}

const server = createServer(post);
server.listen(0, "127.0.0.1", () => console.log(`transactions is ready at 127.0.0.1:${(server.address() as AddressInfo).port}`));
