import { afterAll, beforeAll, expect, test } from "vitest";
import { post, request, signUp } from "./support/http.ts";
import { startServer, type TestServer } from "./support/server.ts";

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

test("a posted message is read back exactly as it was sent", async () => {
  const { id, token } = await signUp(server, "ann");
  const text = " ünï\u0001code 🙂 \r\n ";
  const posted = await post(server, token, 1, text);
  expect(posted.status).toBe(201);
  expect(posted.body).toMatchObject({ channel_id: 1, user_id: id, message_text: text });
  const read = await request(server, "GET", posted.headers.get("location") ?? "");
  expect(read.body).toEqual(posted.body);
});
