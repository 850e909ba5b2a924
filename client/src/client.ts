/** The package's entry: a client of one Keenchat server. */
import type { CallOptions } from "./call-options.ts";
import { Caller, type HeadersOption } from "./calls.ts";
import { KeenchatError } from "./errors.ts";
import type { Observable } from "./observable.ts";
import { mayGoOn } from "./pages.ts";
import { type ConnectionState, Socket, type WebSocketClass } from "./socket.ts";
import { createStream, type Stream } from "./stream.ts";
import { type TokenStorage, Tokens } from "./tokens.ts";
import { createTyping, type Typing } from "./typing.ts";
import type { Calls, ChannelUsers, KeenchatEvent, Message } from "./wire.ts";

export type { CallOptions } from "./call-options.ts";
export type { HeadersOption } from "./calls.ts";
export { type Issue, KeenchatError } from "./errors.ts";
export type { Observable } from "./observable.ts";
export type { ConnectionState, WebSocketClass, WebSocketLike } from "./socket.ts";
export type { Stream } from "./stream.ts";
export { localTokenStorage, type TokenStorage } from "./tokens.ts";
export type { Typing } from "./typing.ts";
export type { AppRouter, Calls, Channel, ChannelUsers, CurrentSession, ErrorCode, KeenchatEvent, Message, Session, User } from "./wire.ts";

export interface KeenchatOptions {
  /** The URL of the server, such as `http://localhost:5000`, with the path if a proxy serves it below one. Default in a browser: the page's origin. */
  url?: string;
  /** The URL of its WebSockets, if it differs from `url`: `ws://localhost:5001`. */
  wsUrl?: string;
  /** Signs in with an existing token. */
  token?: string;
  /** Keeps the token between visits, for example `localTokenStorage()` in a browser. Default: none. */
  tokenStorage?: TokenStorage;
  /** Milliseconds until a call without an answer rejects. Default: 30,000. */
  timeoutMs?: number;
  /**
   * Sent with each call, for a gateway in front of the server. Not sent with the WebSocket, because a page cannot set
   * headers there: use cookies or `wsUrl` for a gateway.
   */
  headers?: HeadersOption;
  /** Used instead of the runtime's own. */
  fetch?: typeof fetch;
  WebSocket?: WebSocketClass;
}

export interface EventsOptions {
  /** Only events of these channels, and events that belong to no channel. Default: all events that the user may see. */
  channel_id?: number[];
  /** The `id` of the last event seen: all later events come first. Default: only new events. */
  cursor?: string;
  /** Closes the stream. */
  signal?: AbortSignal;
}

export interface PagesOptions {
  channel_id?: number;
  user_id?: number;
  /** Starts with the messages just before this id. Default: the newest. */
  before?: number;
  /** Messages per page, 1 to 200. Default: 100. */
  limit?: number;
  signal?: AbortSignal;
}

export interface MessageCalls extends Omit<Calls["message"], "post"> {
  /**
   * Posts a message. The client adds a `client_message_id` if you pass none, and retries if no answer comes:
   * the message is never posted twice. To show it at once, pass an id of `createClientMessageId()`; the event has the same id.
   * @throws {KeenchatError} `UNAUTHORIZED`, `BAD_REQUEST` with `issues`, `NOT_FOUND` (channel), `CONFLICT` (this id has posted another message), `UNREACHABLE`
   */
  post: Calls["message"]["post"];
  /** Iterates from the newest page back to the first message; each page is ascending and never empty. */
  pages(options?: PagesOptions): AsyncGenerator<Message[], void>;
}

/** Every procedure of the server as a function, and additional functions for a chat. */
export interface KeenchatClient extends Omit<Calls, "message"> {
  readonly message: MessageCalls;
  /**
   * Follows the events. Each event of the log comes once and in order, even if the connection breaks.
   * The stream begins with `ready` (with a `cursor`: after the missed events), and `ready` comes again after each reconnection.
   * To read and follow without a gap: wait for the first `ready`, then read, and apply each event by its id.
   * After `resync` events may be missing: read again.
   */
  events(options?: EventsOptions): Stream<KeenchatEvent>;
  /** The user is in a channel while the stream is open. It yields all users there, at once and after each change. Needs a token. */
  presence(channelId: number, options?: { signal?: AbortSignal }): Stream<ChannelUsers>;
  /** Announces to a channel that the user is typing. */
  typing(channelId: number): Typing;
  /** The state of the connection that streams share, and a way to reconnect now (`retry now`). */
  readonly connection: Observable<ConnectionState> & { reconnect(): void };
  /** The token of the signed-in user, or null. `auth.login` sets it; `auth.logout`, or a server that refuses it, removes it. */
  readonly token: Observable<string | null>;
  /** Ends all streams. Calls still work. */
  close(): void;
}

/** Creates an id for a message that the server does not have yet. */
export function createClientMessageId(): string {
  // Not `randomUUID`, which browsers have only on HTTPS and localhost. React Native has no `crypto`; the id must be unique for its author, not secret.
  const bytes = new Uint8Array(16);
  const { crypto } = globalThis as { crypto?: { getRandomValues?(bytes: Uint8Array): unknown } };
  if (crypto?.getRandomValues) crypto.getRandomValues(bytes);
  else for (const index of bytes.keys()) bytes[index] = Math.random() * 256;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @throws TypeError for what is no URL. */
function trimUrl(url: string): string {
  return new URL(url).href.replace(/\/+$/, "");
}

/** Excludes names that the language looks up: a client is no promise, and can be printed. */
function isOurs(name: string | symbol): name is string {
  return typeof name === "string" && name !== "then" && !(name in Object.prototype);
}

/** Every name that `own` does not have is a call: `client.NOUN.VERB(input)`. */
function createCalls(
  call: (path: string, input?: unknown, options?: CallOptions) => Promise<unknown>,
  own: Record<string, object>,
): object {
  const verbs = (noun: string) =>
    new Proxy(own[noun] ?? {}, {
      get(known: Record<string | symbol, unknown>, verb) {
        if (!isOurs(verb) || verb in known) return known[verb];
        known[verb] = (input?: unknown, options?: CallOptions) => call(`${noun}.${verb}`, input, options);
        return known[verb];
      },
    });
  const nouns: Record<string | symbol, unknown> = {};
  return new Proxy(nouns, {
    get(known, noun) {
      if (typeof noun === "symbol" || noun === "then") return undefined;
      known[noun] ??= verbs(noun);
      return known[noun];
    },
  });
}

/** Creates a client. It sends nothing before the first call or stream. */
export function createKeenchatClient(options: KeenchatOptions = {}): KeenchatClient {
  const origin = options.url ?? (globalThis as { location?: { origin: string } }).location?.origin;
  if (origin === undefined) throw new TypeError("createKeenchatClient needs a url.");
  const url = trimUrl(origin);
  const wsUrl = `${trimUrl(options.wsUrl ?? url.replace(/^http/, "ws"))}/trpc`;
  const tokens = new Tokens(options.token, options.tokenStorage);
  const socketClass = options.WebSocket ?? globalThis.WebSocket;
  const socket = new Socket({ url: wsUrl, tokens, WebSocket: socketClass });
  const caller = new Caller({
    url,
    tokens,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    timeoutMs: options.timeoutMs ?? 30_000,
    headers: options.headers,
    onDoubt: () => socket.probe(),
  });
  const call = caller.call.bind(caller);

  const calls = createCalls(call, {
    auth: {
      async login(input: unknown, callOptions?: CallOptions) {
        const session = (await call("auth.login", input, callOptions)) as { token_value: string };
        tokens.set(session.token_value);
        return session;
      },
      async logout(input?: unknown, callOptions?: CallOptions) {
        const token = tokens.current;
        try {
          await call("auth.logout", input, callOptions);
        } catch (error) {
          // The session has already ended, which is the purpose of the call.
          if (!(error instanceof KeenchatError && error.code === "UNAUTHORIZED")) throw error;
        }
        tokens.refuse(token);
      },
    },
    message: {
      post: (input: { client_message_id?: string }, callOptions?: CallOptions) =>
        call(
          "message.post",
          { ...input, client_message_id: input.client_message_id ?? createClientMessageId() },
          { ...callOptions, repeatable: true },
        ),
      pages: (pagesOptions?: PagesOptions) => pages(client, pagesOptions),
    },
  }) as KeenchatClient;

  const client: KeenchatClient = Object.assign(Object.create(calls) as KeenchatClient, {
    events: ({ channel_id, cursor, signal }: EventsOptions = {}) =>
      createStream<KeenchatEvent>((onItem, onEnd, continued = cursor) => {
        return socket.subscribe({
          path: "events",
          input: channel_id ? { channel_id } : {},
          lastEventId: continued,
          onItem: (item, place) => onItem({ ...(item as KeenchatEvent), ...(place.id !== undefined && { id: place.id }) }, place),
          onEnd,
          catchesUp: (item) => ["ready", "resync"].includes((item as KeenchatEvent).event),
        });
      }, signal),
    presence: (channelId: number, { signal }: { signal?: AbortSignal } = {}) =>
      createStream<ChannelUsers>((onItem, onEnd) => {
        return socket.subscribe({
          path: "channel.presence",
          input: { id: channelId },
          onItem: (item, place) => onItem(item as ChannelUsers, place),
          onEnd,
        });
      }, signal),
    typing: (channelId: number) => createTyping(calls.channel, channelId),
    connection: {
      get current() {
        return socket.state.current;
      },
      subscribe: socket.state.subscribe,
      reconnect: () => socket.reconnect(),
    },
    token: tokens.observable,
    close: () => socket.close(),
  });
  return client;
}

async function* pages(client: KeenchatClient, { signal, limit = 100, ...filter }: PagesOptions = {}): AsyncGenerator<Message[], void> {
  let { before } = filter;
  for (;;) {
    const page = await client.message.list({ ...filter, limit, ...(before !== undefined && { before }) }, signal && { signal });
    const first = page[0];
    if (!first) return;
    yield page;
    if (!mayGoOn(page, limit)) return;
    before = first.id;
  }
}
