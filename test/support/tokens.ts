/** What a token is answered. */
import type { TRPCClientError } from "@trpc/client";
import type { AppRouter } from "../../src/api.ts";
import type { Keenchat } from "../../src/keenchat.ts";
import { request } from "./http.ts";
import { connectTrpc } from "./wires.ts";

/** What it is answered at REST and on a socket: whose it is, or why not. */
export async function tryToken(server: Pick<Keenchat, "restUrl" | "wsUrl">, token: string) {
  const { status, body } = await request(server, "GET", "/auth", { token });
  const client = connectTrpc(`${server.wsUrl}/trpc`, { token });
  const asked = client.api.auth.session.query().then(({ username }) => username);
  const socket = await asked.catch((error: TRPCClientError<AppRouter>) => error.data?.httpStatus);
  await client.close();
  return { rest: status === 200 ? body.username : status, socket };
}
