/** The measure of the others: node:http and ws with nothing around them. What comes in by socket goes to all; posts and reads are one prepared statement each. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import BetterSqlite from "better-sqlite3";
import { type WebSocket, WebSocketServer } from "ws";

const database = new BetterSqlite((process.env["DATABASE_URL"] ?? "").replace("sqlite:", ""));
database.exec(
  "pragma journal_mode = wal; pragma synchronous = full; create table message (id integer primary key, channel_id, user_id, message_text, time)",
);
const insert = database.prepare("insert into message (channel_id, user_id, message_text, time) values (?, ?, ?, ?)");
const find = database.prepare("select * from message where id = ?");
const list = database.prepare("select * from message order by id desc limit 50");

const clients = new Set<WebSocket>();

function send(response: ServerResponse, status: number, value: unknown): void {
  const body = JSON.stringify(value);
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) });
  response.end(body);
}

function post(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const { channel_id, message_text } = JSON.parse(Buffer.concat(chunks).toString());
    const time = Date.now();
    // One transaction and one flush of the disk each.
    const { lastInsertRowid: id } = insert.run(channel_id, 1, message_text, time);
    send(response, 201, { id, channel_id, user_id: 1, message_text, time });
  });
}

const server = createServer((request, response) => {
  if (request.method === "POST") post(request, response);
  else if (request.url === "/message?limit=50") send(response, 200, list.all());
  else send(response, 200, find.get(Number(request.url?.split("/")[2])));
});

new WebSocketServer({ server, perMessageDeflate: false }).on("connection", (client) => {
  clients.add(client);
  client.on("close", () => clients.delete(client));
  client.on("message", (data) => {
    const text = data.toString();
    for (const other of clients) other.send(text);
  });
});

server.listen(0, "127.0.0.1", () => console.log(`bare is ready at 127.0.0.1:${(server.address() as AddressInfo).port}`));
