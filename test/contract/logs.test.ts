/** What a run at the lowest level prints: never a token, a password or a message's text, not even where the server fails. */
import { once } from "node:events";
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import type { AppRouter } from "../../src/api.ts";
import { databaseKinds } from "../support/database.ts";
import { request } from "../support/http.ts";
import { startProcess } from "../support/process.ts";
import { openRaw } from "../support/raw.ts";
import { Inbox } from "../support/wait.ts";

const password = "unspeakable-password";
const words = "unspeakable-words";

test.each(databaseKinds())("nothing secret is printed over $kind", { timeout: 60_000 }, async ({ create }) => {
  const database = await create();
  await using server = startProcess({
    DATABASE_URL: database.url,
    LOG_LEVEL: "trace",
    AUTH_SECRET: "unspeakable-secret-of-at-least-32-bytes",
    METRICS_TOKEN: "unspeakable-metrics",
  });
  const { restUrl, wsUrl } = await server.ready();
  const at = { restUrl };
  const credentials = { username: "ann", password };
  await request(at, "POST", "/user", { body: credentials });
  await request(at, "POST", "/user", { body: credentials });
  await request(at, "POST", "/user", { body: { username: "!", password } });
  await request(at, "POST", "/auth", { raw: `{"username":"ann","password":"${password}"` });
  await request(at, "POST", "/auth", { body: { username: "ann", password: `${password}-wrong` } });
  const token: string = (await request(at, "POST", "/auth", { body: credentials })).body.token_value;
  await request(at, "GET", `/auth?auth=${token}`);
  await request(at, "GET", `/auth?auth=${token}&auth=${token}`);
  await request(at, "GET", `/auth?auth=${token}x`);
  await request(at, "GET", `/%zz?auth=${token}`);
  await request(at, "GET", "/metrics", { headers: { authorization: "Bearer unspeakable-metrics" } });
  const message = { channel_id: 1, message_text: words };
  await request(at, "POST", "/message", { token, body: message });
  await request(at, "POST", "/message", { token, body: { ...message, channel_id: "1" } });
  await request(at, "POST", `/trpc/message.post?auth=${token}`, { body: message });
  await request(at, "POST", "/trpc/message.post", { token, raw: `{"message_text":"${words}` });
  await request(at, "GET", `/trpc/user.list?connectionParams=${JSON.stringify({ auth: token })}`);
  const half = await openRaw(restUrl);
  await half.write(`POST /message?auth=${token} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"message_text":"${words}`);
  half.hangUp();

  const socket = new WebSocket(`${wsUrl}/?auth=${token}`);
  const frames = new Inbox<string>();
  socket.on("message", (data) => frames.push(String(data)));
  await once(socket, "open");
  for (const frame of [
    { event: "identify", data: token },
    { event: "identify", data: `${token}x` },
    { event: words, data: words },
  ])
    socket.send(JSON.stringify(frame));
  socket.send(`{"event":"${words}`);
  await frames.count("errors", 2, (frame) => frame.includes('"error"'));
  const wire = createWSClient({ url: `${wsUrl}/trpc`, connectionParams: () => ({ auth: token }) });
  const api = createTRPCClient<AppRouter>({ links: [wsLink({ client: wire })] });
  await api.message.post.mutate(message);
  await expect(api.message.post.mutate({ ...message, channel_id: 999 })).rejects.toThrow();

  // The table goes away under the server: from here on its answers are 500, and it says why in its log.
  await database.execute("alter table message rename to message_gone");
  const broken = await fetch(`${restUrl}/message`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ ...message, client_message_id: "unspeakable-key" }),
  });
  expect(broken.status).toBe(500);
  expect(await broken.json()).toEqual({
    error: "Internal server error.",
    message: "Internal server error.",
    code: "INTERNAL_SERVER_ERROR",
    request_id: broken.headers.get("x-request-id"),
  });
  await expect(api.message.post.mutate(message)).rejects.toThrow("Internal server error.");
  const put = await fetch(`${restUrl}/message/1?auth=${token}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(message),
  });
  expect(put.status).toBe(500);
  socket.terminate();
  await wire.close();
  await server.end("SIGTERM");
  await database.drop();
  const output = [...server.stdout.items, ...server.stderr.items].join("\n");

  expect(output).toContain(broken.headers.get("x-request-id"));
  expect(output).not.toContain("unspeakable");
  expect(output).not.toContain(token);
  for (const part of token.split(".").slice(1)) expect(output).not.toContain(part);
});
