/** REST as a person with curl uses it. */
import type { Keenchat } from "../../src/keenchat.ts";
import { holdAgainstDocument } from "./openapi.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in an answer.
  readonly body: any;
}

export interface RequestOptions {
  readonly token?: string | undefined;
  readonly body?: unknown;
  /** Sent as it is, in the place of `body`. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

/** Sends one request; a `body` goes as JSON. What comes back is held against the OpenAPI document. */
export async function request(
  server: Pick<Keenchat, "restUrl">,
  method: string,
  path: string,
  options: RequestOptions = {},
): Promise<Answer> {
  const { token, body, raw, headers } = options;
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(server.restUrl + path, {
    method,
    headers: {
      ...(payload !== undefined && { "content-type": "application/json" }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(payload !== undefined && { body: payload as NonNullable<RequestInit["body"]> }),
  });
  const text = await response.text();
  holdAgainstDocument(method, path, { status: response.status, headers: response.headers, text });
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  return { status: response.status, headers: response.headers, text, body: isJson && text !== "" ? JSON.parse(text) : undefined };
}

export const password = "correct horse";

/** Makes a user and signs in. */
export async function signUp(server: Pick<Keenchat, "restUrl">, username: string): Promise<{ id: number; token: string }> {
  const user = await request(server, "POST", "/user", { body: { username, password } });
  if (user.status !== 201) throw new Error(`POST /user answered ${user.status}: ${user.text}`);
  const session = await request(server, "POST", "/auth", { body: { username, password } });
  return { id: user.body.id, token: session.body.token_value };
}

export function post(server: Pick<Keenchat, "restUrl">, token: string, channelId: number, messageText: string): Promise<Answer> {
  return request(server, "POST", "/message", { token, body: { channel_id: channelId, message_text: messageText } });
}
