/** One real client for each wire, all with the same shape: what came in, in order, and the ways to end it. */
import { createTRPCClient, createWSClient, httpSubscriptionLink, wsLink } from "@trpc/client";
import { EventSource } from "eventsource";
import { WebSocket } from "ws";
import type { AppRouter } from "../../src/api.ts";
import type { Keenchat } from "../../src/keenchat.ts";
import { Inbox, within } from "./wait.ts";

export interface Received {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in an event.
  readonly data: any;
  readonly id?: string;
}

export interface ReaderOptions {
  readonly cursor?: string | undefined;
  readonly channels?: readonly number[];
  readonly token?: string;
  /** Of SSE alone: the parameter that stands in for the header of this name. */
  readonly lastEventId?: string | undefined;
  /** Stands in the URL as it is. */
  readonly query?: string;
}

export interface Reader {
  readonly inbox: Inbox<Received>;
  /** Cuts the connection as a broken network does, without a close. */
  cut(): void;
}

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

type Urls = Pick<Keenchat, "restUrl" | "wsUrl">;

/** A plain WebSocket, as a client of 2014 would open it today. */
export class PlainClient implements Reader {
  readonly inbox = new Inbox<Received>();
  readonly ws: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<Closed>;
  readonly #pongs = new Inbox<string>();
  #pings = 0;

  constructor(url: string, options: { headers?: Record<string, string>; autoPong?: boolean } = {}) {
    this.ws = new WebSocket(url, options);
    this.ws.on("message", (data) => this.inbox.push(JSON.parse(String(data)) as Received));
    this.ws.on("pong", (data) => this.#pongs.push(data.toString()));
    this.ws.on("error", () => {});
    this.opened = new Promise((resolve, reject) => {
      this.ws.once("open", resolve);
      this.ws.once("error", reject);
    });
    this.opened.catch(() => {});
    this.closed = new Promise((resolve) => this.ws.once("close", (code, reason) => resolve({ code, reason: reason.toString() })));
  }

  send(event: string, data?: unknown): void {
    this.ws.send(JSON.stringify({ event, data }));
  }

  /** Resolves when the server has carried out everything sent before. */
  async settled(): Promise<void> {
    const before = this.inbox.items.filter(({ event }) => event === "ready").length;
    this.send("connection");
    await this.inbox.count("ready", before + 1, ({ event }) => event === "ready");
  }

  /** Resolves when both sides have answered the other's pings, and the server has seen every frame sent before. */
  async breathe(): Promise<void> {
    for (let round = 0; round < 2; round += 1) {
      this.#pings += 1;
      const payload = `breath ${this.#pings}`;
      this.ws.ping(payload);
      await this.#pongs.take("a pong", (pong) => pong === payload, 10_000);
    }
  }

  close(): Promise<Closed> {
    this.ws.close();
    return this.closed;
  }

  cut(): void {
    this.ws.terminate();
  }
}

function toQuery(options: ReaderOptions): string {
  const query = new URLSearchParams();
  if (options.cursor !== undefined) query.set("cursor", options.cursor);
  if (options.lastEventId !== undefined) query.set("lastEventId", options.lastEventId);
  if (options.channels) query.set("channel_id", options.channels.join(","));
  if (options.token !== undefined) query.set("auth", options.token);
  const all = [query.toString(), options.query ?? ""].filter(Boolean).join("&");
  return all === "" ? "" : `?${all}`;
}

export async function openPlain(server: Urls, options: ReaderOptions = {}): Promise<PlainClient> {
  const client = new PlainClient(`${server.wsUrl}/${toQuery(options)}`);
  await within(10_000, "opening a plain WebSocket", client.opened);
  return client;
}

/** An event stream, read with `fetch`. */
export class SseClient implements Reader {
  readonly inbox = new Inbox<Received>();
  readonly comments: string[] = [];
  readonly response: Response;
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  readonly #abort: AbortController;

  constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.ended = this.#read().catch(() => {});
  }

  async #read(): Promise<void> {
    let text = "";
    for await (const chunk of this.response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += chunk;
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) this.#take(block);
    }
  }

  #take(block: string): void {
    if (block.startsWith(":")) {
      this.comments.push(block);
      return;
    }
    const fields = new Map(block.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)]));
    const id = fields.get("id");
    this.inbox.push({
      event: fields.get("event") ?? "",
      data: JSON.parse(fields.get("data") ?? "null"),
      ...(id !== undefined && { id }),
    });
  }

  cut(): void {
    this.#abort.abort();
  }
}

export async function openSse(server: Urls, options: ReaderOptions & { headers?: Record<string, string> } = {}): Promise<SseClient> {
  const abort = new AbortController();
  const response = await fetch(`${server.restUrl}/event${toQuery(options)}`, {
    headers: { accept: "text/event-stream", ...options.headers },
    signal: abort.signal,
  });
  if (response.status !== 200) throw new Error(`GET /event answered ${response.status}: ${await response.text()}`);
  return new SseClient(response, abort);
}

/** What a subscription yields, told apart from tRPC's tracked envelope. */
function unwrap(value: unknown): Received {
  const item = value as Received | { id: string; data: Received };
  return "event" in item ? item : { id: item.id, ...item.data };
}

function trpcInput({ cursor, channels }: ReaderOptions) {
  return { ...(cursor !== undefined && { lastEventId: cursor }), ...(channels && { channel_id: [...channels] }) };
}

/** A tRPC client on one WebSocket. */
export function connectTrpc(url: string, options: { token?: string | undefined; lazy?: boolean; keepAlive?: boolean } = {}) {
  const { token } = options;
  const sockets: WebSocket[] = [];
  const closes = new Inbox<Closed>();
  const opens = new Inbox<WebSocket>();
  class ObservedWebSocket extends WebSocket {
    constructor(address: string) {
      super(address);
      sockets.push(this);
      this.on("open", () => opens.push(this));
      this.on("close", (code, reason) => closes.push({ code, reason: reason.toString() }));
    }
  }
  const wsClient = createWSClient({
    url,
    WebSocket: ObservedWebSocket as unknown as typeof globalThis.WebSocket,
    retryDelayMs: () => 10,
    ...(options.lazy && { lazy: { enabled: true, closeMs: 0 } }),
    ...(options.keepAlive && { keepAlive: { enabled: true, intervalMs: 50, pongTimeoutMs: 5_000 } }),
    ...(token !== undefined && { connectionParams: { auth: token } }),
  });
  const api = createTRPCClient<AppRouter>({ links: [wsLink({ client: wsClient })] });
  return {
    api,
    wsClient,
    /** Every socket it has opened so far, the newest last. */
    sockets,
    opens,
    closes,
    /** Follows `events` for as long as the client lives. */
    follow(input: ReaderOptions = {}): Inbox<Received> {
      const inbox = new Inbox<Received>();
      api.events.subscribe(trpcInput(input), {
        onData: (value) => inbox.push(unwrap(value)),
        onError: (error) => inbox.push({ event: "failed", data: error.data }),
      });
      return inbox;
    },
    close: () => wsClient.close(),
  };
}

export type TrpcClient = ReturnType<typeof connectTrpc>;

export function openTrpcWs(server: Urls, options: ReaderOptions = {}, url = `${server.wsUrl}/trpc`): Reader & { client: TrpcClient } {
  const client = connectTrpc(url, options);
  return {
    client,
    inbox: client.follow(options),
    cut() {
      client.sockets.at(-1)?.terminate();
      void client.close();
    },
  };
}

/** tRPC over server-sent events, with a real EventSource. */
export function openTrpcSse(server: Urls, options: ReaderOptions = {}): Reader {
  const inbox = new Inbox<Received>();
  const client = createTRPCClient<AppRouter>({
    links: [
      httpSubscriptionLink({
        url: `${server.restUrl}/trpc`,
        EventSource: EventSource as never,
        ...(options.token !== undefined && { connectionParams: { auth: options.token } }),
      }),
    ],
  });
  const subscription = client.events.subscribe(trpcInput(options), {
    onData: (value) => inbox.push(unwrap(value)),
    onError: (error) => inbox.push({ event: "failed", data: error.data }),
  });
  return { inbox, cut: () => subscription.unsubscribe() };
}

/** Every wire that follows the log by itself. */
export const followingWires: readonly [
  name: string,
  open: (server: Urls, options?: ReaderOptions) => Reader | Promise<Reader>,
  announcesReady: boolean,
][] = [
  ["tRPC over WebSocket", openTrpcWs, true],
  ["tRPC over SSE", openTrpcSse, true],
  ["the plain WebSocket", openPlain, false],
  ["SSE", openSse, true],
];
