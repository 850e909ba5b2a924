/** Owns the WebSocket of a client: its subscriptions, and reconnecting after losses, sign-ins and server restarts. */
import { toKeenchatError } from "./errors.ts";
import { Heartbeat } from "./heartbeat.ts";
import { onNetworkChange } from "./network-change.ts";
import { type Observable, ObservableValue } from "./observable.ts";
import type { Subscription, SubscriptionOptions } from "./subscription.ts";
import type { Tokens } from "./tokens.ts";

/**
 * - `idle`: no stream is open, so there is no connection.
 * - `connecting`: the first connection is being opened, or a connection was just lost.
 * - `catching up`: connected; missed events are arriving.
 * - `live`: events arrive as they happen.
 * - `offline`: the server cannot be reached; the client retries automatically.
 */
export type ConnectionState = "idle" | "connecting" | "catching up" | "live" | "offline";

/** The part of a WebSocket that this package uses; the browser's and that of `ws` both fit. */
export interface WebSocketLike {
  readonly readyState: number;
  send(data: string): void;
  close(code?: number): void;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
}
export type WebSocketClass = new (url: string) => WebSocketLike;

interface Frame {
  id?: number | null;
  method?: string;
  error?: unknown;
  result?: { type: "started" | "stopped" | "data"; id?: string; data?: unknown };
}

/** The server's reasons to close: part of its contract. */
const closeCodes = { goingAway: 1001, abuse: 1008, tokenInvalid: 4001, tooSlow: 4008 };

const handshakeMs = 10_000;
const lingerMs = 500;
const longestDelayMs = 30_000;
const subscriptionRetryMs = 2_000;
const openState = 1;

export interface SocketOptions {
  readonly url: string;
  readonly tokens: Tokens;
  readonly WebSocket: WebSocketClass;
}

export class Socket {
  readonly #options: SocketOptions;
  readonly #state = new ObservableValue<ConnectionState>("idle");
  readonly #subscriptions = new Set<Subscription>();
  #ws: WebSocketLike | undefined;
  /** The token the current socket was opened with. */
  #token: string | null = null;
  #nextRpcId = 1;
  /** Failed attempts in a row. */
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  readonly #heartbeat = new Heartbeat(
    () => this.#ws?.send("PING"),
    () => this.#lost(),
  );
  readonly #stopListening: () => void;

  constructor(options: SocketOptions) {
    this.#options = options;
    const stopWatching = options.tokens.observable.subscribe((token) => {
      if (this.#ws && token !== this.#token) this.reconnect();
    });
    const stopNetworkChange = onNetworkChange(() => (this.#ws ? this.probe() : this.#timer && this.reconnect()));
    this.#stopListening = () => {
      stopWatching();
      stopNetworkChange();
    };
  }

  get state(): Observable<ConnectionState> {
    return this.#state;
  }

  /** Opens a subscription, until the returned function is called or it ends. */
  subscribe(options: SubscriptionOptions): () => void {
    if (this.#closed) {
      options.onEnd();
      return () => {};
    }
    const subscription: Subscription = { options, rpcId: 0, lastEventId: options.lastEventId, live: false, retry: undefined };
    this.#subscriptions.add(subscription);
    if (this.#isOpen()) this.#start(subscription);
    else if (!this.#ws && !this.#timer) this.#open();
    else if (!this.#ws && this.#subscriptions.size === 1) this.reconnect();
    this.#showState();
    return () => {
      if (!this.#subscriptions.has(subscription)) return;
      this.#remove(subscription);
      if (this.#isOpen() && subscription.rpcId) this.#send({ id: subscription.rpcId, method: "subscription.stop" });
    };
  }

  /** Drops the current socket as if the network had lost it, and opens another one at once. */
  reconnect(): void {
    this.#abandon();
    if (this.#subscriptions.size > 0) this.#open();
    this.#showState();
  }

  /** Probes the server if the connection is in doubt. */
  probe(): void {
    if (this.#isOpen()) this.#heartbeat.probe();
  }

  close(): void {
    this.#closed = true;
    this.#stopListening();
    for (const subscription of [...this.#subscriptions]) {
      this.#remove(subscription);
      subscription.options.onEnd();
    }
    this.#abandon();
    this.#showState();
  }

  #isOpen(): boolean {
    return this.#ws?.readyState === openState && this.#nextRpcId > 0;
  }

  async #open(): Promise<void> {
    if (this.#closed) return;
    const { tokens, url, WebSocket } = this.#options;
    this.#timer = setTimeout(() => this.#lost(), handshakeMs);
    const attempt = this.#timer;
    if (tokens.loaded) await tokens.loaded;
    if (attempt !== this.#timer) return;
    this.#token = tokens.current;
    let ws: WebSocketLike;
    try {
      ws = new WebSocket(`${url}?connectionParams=1`);
    } catch {
      return this.#lost();
    }
    this.#ws = ws;
    this.#nextRpcId = 0;
    ws.onopen = () => {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#nextRpcId = 1;
      this.#send({ method: "connectionParams", data: this.#token === null ? {} : { auth: this.#token } });
      this.#heartbeat.arrived();
      for (const subscription of this.#subscriptions) this.#start(subscription);
      this.#showState();
    };
    ws.onmessage = ({ data }: { data: unknown }) => {
      this.#heartbeat.arrived();
      if (typeof data === "string" && data !== "PONG") this.#receive(data);
    };
    ws.onclose = ({ code }: { code: number }) => this.#lost(code);
    ws.onerror = () => {};
  }

  #start(subscription: Subscription): void {
    clearTimeout(subscription.retry);
    subscription.retry = undefined;
    subscription.rpcId = this.#nextRpcId;
    this.#nextRpcId += 1;
    const { path, input } = subscription.options;
    const { lastEventId } = subscription;
    this.#send({
      id: subscription.rpcId,
      method: "subscription",
      params: { path, input, ...(lastEventId !== undefined && { lastEventId }) },
    });
    this.#heartbeat.expectAnswer();
  }

  #receive(text: string): void {
    if (text === "PING") return this.#ws?.send("PONG");
    const frame = JSON.parse(text) as Frame;
    if (frame.method === "reconnect") return this.reconnect();
    // An error without an id precedes the close of the socket, and the close code has the same meaning.
    for (const subscription of this.#subscriptions)
      if (subscription.rpcId === frame.id) return this.#deliver(subscription, frame, text.length);
  }

  #deliver(subscription: Subscription, { error, result }: Frame, length: number): void {
    const { options } = subscription;
    if (error !== undefined) {
      const refusal = toKeenchatError({ error }, 500);
      // The token is no longer valid: the next connection is anonymous, and subscriptions that need a user end there.
      if (refusal.code === "UNAUTHORIZED" && this.#token !== null) return this.#options.tokens.refuse(this.#token);
      subscription.rpcId = 0;
      if (refusal.transient) {
        subscription.retry = setTimeout(
          () => this.#isOpen() && this.#start(subscription),
          refusal.retryAfterMs ?? jitter(subscriptionRetryMs),
        );
        return;
      }
      this.#remove(subscription);
      return options.onEnd(refusal);
    }
    if (!result) return;
    if (result.type === "stopped") {
      this.#remove(subscription);
      return options.onEnd();
    }
    this.#failures = 0;
    if (result.type === "started") {
      if (!options.catchesUp) subscription.live = true;
      return this.#showState();
    }
    const { id, data } = result;
    const item = id === undefined ? data : (data as { data: unknown }).data;
    if (id !== undefined) subscription.lastEventId = id;
    // Before the item is delivered, because its listener may replace this connection.
    if (options.catchesUp?.(item)) subscription.live = true;
    options.onItem(item, { id, length });
    this.#showState();
  }

  #remove(subscription: Subscription): void {
    clearTimeout(subscription.retry);
    this.#subscriptions.delete(subscription);
    // A page that switches from one channel to another keeps its socket.
    if (this.#subscriptions.size === 0 && !this.#closed) setTimeout(() => this.#subscriptions.size === 0 && this.#abandon(), lingerMs);
    this.#showState();
  }

  /** The socket was lost or never opened: schedules the next attempt. */
  #lost(code?: number): void {
    const wasOpen = this.#isOpen();
    const token = this.#token;
    this.#abandon();
    if (code === closeCodes.tokenInvalid) this.#options.tokens.refuse(token);
    if (!wasOpen || code === closeCodes.abuse) this.#failures += 1;
    if (this.#subscriptions.size > 0 && !this.#closed && !this.#ws) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#open();
      }, this.#delayMs(code));
    }
    this.#showState();
  }

  #delayMs(code: number | undefined): number {
    if (this.#failures > 0) return jitter(Math.min(500 * 2 ** this.#failures, longestDelayMs));
    // A server that stops closes all sockets at once; its successor should not get all clients at once.
    if (code === closeCodes.goingAway) return Math.random() * 2_000;
    if (code === closeCodes.tokenInvalid || code === closeCodes.tooSlow) return 0;
    return Math.random() * 500;
  }

  /** Drops the socket at once, because a close handshake over a dead network takes a minute. */
  #abandon(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#heartbeat.stop();
    for (const subscription of this.#subscriptions) {
      clearTimeout(subscription.retry);
      subscription.rpcId = 0;
      subscription.live = false;
    }
    const ws = this.#ws;
    if (!ws) return;
    this.#ws = undefined;
    ws.onopen = ws.onmessage = ws.onclose = null;
    ws.close(1000);
  }

  #send(message: object): void {
    this.#ws?.send(JSON.stringify(message));
  }

  #showState(): void {
    this.#state.set(this.#describe());
  }

  #describe(): ConnectionState {
    if (this.#subscriptions.size === 0) return "idle";
    if (this.#isOpen()) return [...this.#subscriptions].every((subscription) => subscription.live) ? "live" : "catching up";
    return this.#failures > 0 ? "offline" : "connecting";
  }
}

/** A random time between half of `ms` and all of it. */
function jitter(ms: number): number {
  return ms * (0.5 + Math.random() / 2);
}
