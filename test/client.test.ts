import { afterAll, beforeAll, expect, test } from "vitest";
import { createKeenchatClient, KeenchatError } from "../client/src/client.ts";
import { followEvents, signUpClient } from "./support/clients.ts";
import { startServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("signing in keeps the token, signing out forgets it", async () => {
  const keenchat = await signUpClient(server, "keeper");
  expect(await keenchat.auth.session()).toMatchObject({ username: "keeper" });
  expect(keenchat.token.current).toBeTypeOf("string");
  await keenchat.auth.logout();
  expect(keenchat.token.current).toBeNull();
  await expect(keenchat.auth.session()).rejects.toMatchObject({ code: "UNAUTHORIZED", status: 401 });
});

test("what one posts another sees, as one union told apart by event, with the id to resume from", async () => {
  const [ann, ben] = [await signUpClient(server, "ann"), createKeenchatClient({ url: server.restUrl })];
  const inbox = await followEvents(ben);
  const message = await ann.message.post({ channel_id: 1, message_text: "hello" });
  const event = await inbox.take("the message", ({ event }) => event === "post message");
  expect(event).toEqual({ event: "post message", data: message, id: expect.any(String) });
  ben.close();
});

test("a refusal is a KeenchatError with code, status, issues and the request's id", async () => {
  const keenchat = await signUpClient(server, "refused");
  const error = await keenchat.message.post({ channel_id: 1, message_text: " " }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(KeenchatError);
  expect(error).toMatchObject({ code: "BAD_REQUEST", status: 400, issues: [{ path: ["message_text"] }], requestId: expect.any(String) });
});

test("a server that is not there is UNREACHABLE", async () => {
  const keenchat = createKeenchatClient({ url: "http://127.0.0.1:9" });
  await expect(keenchat.channel.list()).rejects.toMatchObject({ code: "UNREACHABLE", status: 0 });
});
