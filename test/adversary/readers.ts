/** Owns the readers: one for each wire, each with the client that people use for it, each coming back with its cursor. */
import { createTRPCClient, createWSClient, wsLink } from "@trpc/client";
import { io } from "socket.io-client";
import { WebSocket } from "ws";
import type { AppRouter } from "../../src/api.ts";
import type { Account } from "./ledger.ts";
import type { Random } from "./random.ts";

export interface ReaderOptions {
  /** `HOST:PORT` of the line to the server. */
  readonly address: string;
  readonly account: Account;
  readonly random: Random;
}

export interface Reader {
  /** Resolves once the reader has a position: it will see everything that is posted from then on. */
  readonly ready: Promise<void>;
  close(): void;
}

export type Wire = (options: ReaderOptions) => Reader;

/** How long a reader bears silence before it takes its connection for dead. */
const silenceMs = 2_000;

/** One connection of a reader: from its opening to its end, whichever way it ends. */
interface Visit {
  readonly cursor: string | undefined;
  readonly signal: AbortSignal;
  receive(event: string, data: unknown, id: string | undefined): void;
}

/** A reader that connects again by itself, with the id it saw last. */
function returning(connect: (address: string, visit: Visit) => Promise<void>): Wire {
  return ({ address, account, random }) => {
    const closed = new AbortController();
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    let cursor: string | undefined;

    async function visit(): Promise<void> {
      const silent = new AbortController();
      const signal = AbortSignal.any([closed.signal, silent.signal]);
      let watchdog = setTimeout(() => silent.abort(), silenceMs);
      const receive: Visit["receive"] = (event, data, id) => {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => silent.abort(), silenceMs);
        // What a connection still had in store when it was given up comes again on the next one.
        if (signal.aborted) return;
        account.book(event, data, id);
        cursor = id ?? cursor;
        if (cursor !== undefined) resolve();
      };
      await connect(address, { cursor, signal, receive }).catch(() => {});
      clearTimeout(watchdog);
    }

    async function follow(): Promise<void> {
      while (!closed.signal.aborted) {
        await visit();
        await new Promise((again) => setTimeout(again, random.between(5, 60)));
      }
    }

    void follow();
    return { ready, close: () => closed.abort() };
  };
}

const plain = returning(
  (address, { cursor, signal, receive }) =>
    new Promise((resolve) => {
      const socket = new WebSocket(`ws://${address}/${cursor === undefined ? "" : `?cursor=${cursor}`}`);
      signal.addEventListener("abort", () => socket.terminate());
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.on("open", () => cursor === undefined && socket.send(JSON.stringify({ event: "connection" })));
      socket.on("message", (frame) => {
        const { event, data, id } = JSON.parse(frame.toString());
        receive(event, data, id);
      });
    }),
);

const sse = returning(async (address, { cursor, signal, receive }) => {
  const response = await fetch(`http://${address}/event`, {
    signal,
    headers: { accept: "text/event-stream", ...(cursor !== undefined && { "last-event-id": cursor }) },
  });
  if (response.status !== 200 || !response.body) throw new Error(`GET /event answered ${response.status}`);
  let rest = "";
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map((line) => line.split(/: (.*)/s, 2) as [string, string]));
      const event = fields.get("event");
      if (event !== undefined) receive(event, JSON.parse(fields.get("data") ?? "null"), fields.get("id"));
    }
  }
});

const socketIo = (transport: "polling" | "websocket") =>
  returning(
    (address, { cursor, signal, receive }) =>
      new Promise((resolve) => {
        const socket = io(`http://${address}`, {
          forceNew: true,
          reconnection: false,
          timeout: silenceMs,
          transports: [transport],
          query: cursor === undefined ? {} : { cursor },
        });
        const end = () => {
          socket.close();
          resolve();
        };
        signal.addEventListener("abort", end);
        socket.on("connect_error", end);
        socket.on("disconnect", end);
        socket.on("connect", () => cursor === undefined && socket.emit("connection"));
        socket.onAny(receive);
      }),
  );

interface Page {
  readonly events: readonly { id: string; event: string; data: unknown }[];
  readonly cursor: string;
}

const poll = returning(async (address, { cursor, signal, receive }) => {
  const response = await fetch(`http://${address}/event?limit=200${cursor === undefined ? "" : `&cursor=${cursor}`}`, { signal });
  if (response.status !== 200) throw new Error(`GET /event answered ${response.status}`);
  const page = (await response.json()) as Page;
  for (const { event, data, id } of page.events) receive(event, data, id);
  receive("page", null, page.cursor);
});

/** A WebSocket that gives up on a peer that answers neither its opening nor its closing: a Node client waits for minutes, and tRPC's with it. */
class ImpatientSocket extends WebSocket {
  static readonly patience = { handshakeTimeout: silenceMs, closeTimeout: silenceMs };

  constructor(url: string | URL) {
    super(url, ImpatientSocket.patience);
  }
}

/** Knows nothing of cursors: reconnecting and resuming are the client's own. */
const trpc: Wire = ({ address, account, random }) => {
  const socket = createWSClient({
    url: `ws://${address}/trpc`,
    WebSocket: ImpatientSocket as unknown as typeof globalThis.WebSocket,
    retryDelayMs: () => random.between(5, 60),
    keepAlive: { enabled: true, intervalMs: silenceMs / 4, pongTimeoutMs: silenceMs / 2 },
  });
  const client = createTRPCClient<AppRouter>({ links: [wsLink({ client: socket })] });
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const subscription = client.events.subscribe(undefined, {
    onData(item) {
      const [{ event, data }, id] = "id" in item ? [item.data, item.id] : [item, undefined];
      account.book(event, data, id);
      if (event === "ready") resolve();
    },
  });
  return {
    ready,
    close() {
      subscription.unsubscribe();
      void socket.close();
    },
  };
};

/** Each wire under attack, and the port it is on. */
export const wires: readonly { readonly name: string; readonly port: "port" | "wsPort"; readonly open: Wire }[] = [
  { name: "trpc", port: "wsPort", open: trpc },
  { name: "plain", port: "wsPort", open: plain },
  { name: "sse", port: "port", open: sse },
  { name: "socket.io", port: "wsPort", open: socketIo("websocket") },
  { name: "its polling", port: "wsPort", open: socketIo("polling") },
  { name: "poll", port: "port", open: poll },
];
