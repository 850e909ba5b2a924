/** What a token says, and what it is answered. */
import type { Keenchat } from "../../src/keenchat.ts";
import { request } from "./http.ts";
import { connectTrpc } from "./wires.ts";

export function claimsOf(token: string) {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}

/** What a token is answered at REST and on a socket: whose it is, or why not. */
export async function tryToken(server: Pick<Keenchat, "restUrl" | "wsUrl">, token: string) {
  const { status, body } = await request(server, "GET", "/auth", { token });
  const client = connectTrpc(`${server.wsUrl}/trpc`, { token });
  const asked = client.api.auth.session.query().then(({ username }) => username);
  const socket = await asked.catch(async () => (await client.closes.take("the socket's end", () => true)).code);
  await client.close();
  return { rest: status === 200 ? body.username : status, socket };
}
