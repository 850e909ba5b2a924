/** Socket.IO clients of three majors behind one face. */
import { io as io4 } from "socket.io-client";
import io1 from "socket.io-client-1";
import io2 from "socket.io-client-2";
import type { Keenchat } from "../../src/keenchat.ts";
import { Inbox, within } from "./wait.ts";

export const majors = ["1.7", "2.5", "4.8"] as const;
export const transports = ["polling", "websocket"] as const;

export interface Received {
  readonly event: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test says itself what it expects in an event.
  readonly data: any;
  readonly id: string | undefined;
}

interface RawClient {
  on(event: string, listener: (...values: never[]) => void): void;
  emit(event: string, ...values: unknown[]): void;
  close(): void;
  readonly io: { readonly engine: { write(packet: string): void } };
}

type Open = (url: string, options: object) => RawClient;
const opens = { "1.7": io1, "2.5": io2, "4.8": io4 } as unknown as Record<(typeof majors)[number], Open>;

const events = [
  ...["post user", "post channel", "put channel", "delete channel", "post message", "put message", "delete message"],
  ...["channel movement", "start typing", "stop typing", "refresh page", "ready", "resync"],
  ...["identified", "identity failure", "error"],
];

export interface Client {
  /** Everything that came, in order. */
  readonly received: readonly Received[];
  /** The next event of a name that no earlier call has taken. */
  next(event: string, matches?: (data: Received["data"]) => boolean): Promise<Received>;
  emit(event: string, data?: unknown): void;
  /** Sends an event and resolves to its acknowledgement. */
  ask(event: string, ...values: unknown[]): Promise<unknown>;
  /** Sends text in the place of a packet of Socket.IO. */
  sendBroken(text: string): void;
  /** Resolves when the connection ends. */
  readonly ended: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function connect(
  server: Pick<Keenchat, "wsUrl">,
  major: (typeof majors)[number],
  /** "upgrade": from polling to WebSocket, as clients do by default. */
  transport: (typeof transports)[number] | "upgrade",
  query: Record<string, string> = {},
  options: { auth?: unknown; retries?: number; ackTimeout?: number } = {},
): Promise<Client> {
  const inbox = new Inbox<Received>();
  const taken = new Set<Received>();
  const socket = opens[major](server.wsUrl.replace(/^ws/, "http"), {
    transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
    forceNew: true,
    reconnection: false,
    ...options,
    query: new URLSearchParams(query).toString() && (major === "4.8" ? query : new URLSearchParams(query).toString()),
  });
  for (const event of events) socket.on(event, (data: never, id: never) => inbox.push({ event, data, id }));
  const ended = new Promise<void>((resolve) => socket.on("disconnect", () => resolve()));
  const connected = new Promise<void>((resolve, reject) => {
    socket.on("connect", () => resolve());
    socket.on("connect_error", (error: never) => reject(error));
  });
  await within(10_000, "connecting", connected);
  return {
    received: inbox.items,
    ended,
    emit: (event, data) => (data === undefined ? socket.emit(event) : socket.emit(event, data)),
    ask: (event, ...values) =>
      within(10_000, `the acknowledgement of ${event}`, new Promise((resolve) => socket.emit(event, ...values, resolve))),
    sendBroken: (text) => socket.io.engine.write(text),
    async next(event, matches = () => true) {
      const found = await inbox.take(event, (item) => item.event === event && !taken.has(item) && matches(item.data));
      taken.add(found);
      return found;
    },
    async [Symbol.asyncDispose]() {
      socket.close();
    },
  };
}
