/** The typed client, signed in and pointed at a test's server. */
import { createKeenchatClient, type KeenchatClient, type KeenchatEvent, type KeenchatOptions } from "../../client/src/client.ts";
import { password } from "./http.ts";
import { Inbox } from "./wait.ts";

/** Makes a user and signs in as them. */
export async function signUpClient(server: { restUrl: string }, username: string, options: KeenchatOptions = {}): Promise<KeenchatClient> {
  const keenchat = createKeenchatClient({ url: server.restUrl, ...options });
  await keenchat.user.post({ username, password });
  await keenchat.auth.login({ username, password });
  return keenchat;
}

/** Follows all events; resolves once they are live. */
export async function followEvents(
  keenchat: KeenchatClient,
  options: Parameters<KeenchatClient["events"]>[0] = {},
): Promise<Inbox<KeenchatEvent>> {
  const inbox = new Inbox<KeenchatEvent>();
  keenchat.events(options).subscribe((event) => inbox.push(event));
  await inbox.take("ready", ({ event }) => event === "ready");
  return inbox;
}
