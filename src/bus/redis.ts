/** Owns the bus over Redis: one channel for one installation, two connections, made again until they carry. */
import { createClient, ErrorReply } from "@redis/client";
import { ConfigError } from "../config.ts";
import type { Bus } from "../core/bus.ts";
import type { Clock } from "../core/clock.ts";
import { randomTag } from "../core/random.ts";
import { within } from "../core/within.ts";
import { Topics } from "./topics.ts";

export interface RedisBusOptions {
  readonly url: string;
  /** Nodes of one installation have the same; others on this Redis another. */
  readonly channel: string;
  readonly clock: Clock;
  readonly onError: (error: unknown) => void;
  /** Called when the bus begins or stops to carry messages, or does not carry from the start, with the reason. */
  readonly onState: (carries: boolean, reason?: string) => void;
}

const connectMs = 1_500;
const firstConnectMs = 1_000;
const retryMs = 250;
const pulseMs = 1_000;
/** A connection that has not returned this node's pulse for so long carries nothing, whatever its state. */
const silenceMs = 3_000;
const farewellMs = 500;
const maxWaiting = 10_000;
const pulseTopic = "pulse";

/** Refusals that a retry does not solve: the password, the user, a right. */
const hopeless = /^(NOAUTH|WRONGPASS|NOPERM|ERR (AUTH|invalid password|Client sent AUTH|DB index|invalid DB))/;

function createConnection(url: string) {
  const client = createClient({
    url,
    disableOfflineQueue: true,
    commandsQueueMaxLength: maxWaiting,
    // The pulse detects a dead connection; the client's timer for each command fires even after its answer.
    commandOptions: { timeout: 0 },
    socket: { connectTimeout: connectMs, reconnectStrategy: false },
  });
  // The pulse detects the failure for the bus; an 'error' without a listener would end the process.
  client.on("error", () => {});
  return client;
}

type Connection = ReturnType<typeof createConnection>;

/** One short reason: a system code, or the answer of Redis without the command, which may contain the password. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error && typeof error.code === "string" ? error.code : error.message.replace(/, with args.*/s, "");
}

/** Topic and message travel as one text. No topic holds a line break. */
const separator = "\n";

class RedisBus implements Bus {
  readonly #options: RedisBusOptions;
  readonly #topics: Topics;
  readonly #pulse = randomTag(6);
  readonly #stopPulse: () => void;
  #connections: Connection[] = [];
  #publisher: Connection | undefined;
  #heardAt: number;
  #connecting: Promise<void> | undefined;
  /** Unknown at first: the first attempt may fail if Redis starts together with this node. */
  #carries: boolean | undefined;
  #closed = false;

  constructor(options: RedisBusOptions) {
    this.#options = options;
    this.#topics = new Topics(options.onError);
    this.#heardAt = options.clock.monotonic();
    this.#topics.subscribe(pulseTopic, (from) => {
      if (from !== this.#pulse) return;
      this.#heardAt = options.clock.monotonic();
      this.#setCarries(true);
    });
    this.#stopPulse = options.clock.every(pulseMs, () => this.#beat());
  }

  get carries(): boolean {
    return this.#carries === true;
  }

  /** Rejects where the attempt failed; the next ones are made in the background. */
  connect(): Promise<void> {
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  publish(topic: string, message: string): void {
    const { channel } = this.#options;
    if (this.#publisher?.isReady) this.#publisher.publish(channel, `${topic}${separator}${message}`).catch(() => {});
  }

  subscribe(topic: string, listener: (message: string) => void): () => void {
    return this.#topics.subscribe(topic, listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopPulse();
    // The last message still arrives, unless the connection carries nothing.
    const said = this.#publisher?.isReady ? this.#publisher.close() : Promise.resolve();
    await within(
      this.#options.clock,
      farewellMs,
      said.catch(() => {}),
    );
    this.#drop();
  }

  #beat(): void {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#heardAt >= silenceMs) {
      this.#heardAt = clock.monotonic();
      this.#setCarries(false, "it says nothing");
      this.#drop();
    }
    if (!this.#publisher) return this.#connectAgain();
    if (this.#publisher.isReady) this.publish(pulseTopic, this.#pulse);
    else this.#drop();
  }

  async #connect(): Promise<void> {
    const { url, channel } = this.#options;
    const connections = [createConnection(url), createConnection(url)] as const;
    const [publisher, subscriber] = connections;
    // Set from the start, so that a Redis that accepts a connection and never answers is dropped like one that falls silent.
    this.#connections = [...connections];
    try {
      await Promise.all(connections.map((connection) => connection.connect()));
      await subscriber.subscribe(channel, (text) => {
        const end = text.indexOf(separator);
        this.#topics.deliver(text.slice(0, end), text.slice(end + 1));
      });
    } catch (error) {
      for (const connection of connections) destroy(connection);
      throw error;
    }
    if (this.#closed) {
      for (const connection of connections) destroy(connection);
      return;
    }
    this.#publisher = publisher;
    this.publish(pulseTopic, this.#pulse);
    // If one breaks, the other is closed too, and both are opened again.
    for (const connection of connections) connection.once("error", (error: unknown) => this.#lose(publisher, error));
  }

  #lose(publisher: Connection, error: unknown): void {
    if (this.#publisher !== publisher || this.#closed) return;
    this.#setCarries(false, reasonOf(error));
    this.#drop();
    this.#options.clock.after(retryMs, () => {
      if (!this.#publisher && !this.#closed) this.#connectAgain();
    });
  }

  #connectAgain(): void {
    this.connect().catch((error: unknown) => this.#setCarries(false, reasonOf(error)));
  }

  #drop(): void {
    this.#publisher = undefined;
    for (const connection of this.#connections.splice(0)) destroy(connection);
  }

  #setCarries(carries: boolean, reason?: string): void {
    if (this.#closed || this.#carries === carries) return;
    this.#carries = carries;
    this.#options.onState(carries, reason);
  }
}

/** A connection whose socket is still opening emits `connect` even after `destroy`, and is destroyed then. */
function destroy(connection: Connection): void {
  connection.once("connect", () => connection.destroy());
  connection.destroy();
}

/**
 * Joins the bus of an installation. While Redis is away it keeps trying, and the node works without it.
 * @throws ConfigError where Redis refuses what `REDIS_URL` says.
 */
export async function openRedisBus(options: RedisBusOptions): Promise<Bus> {
  const bus = new RedisBus(options);
  const connecting = bus.connect().catch((error: unknown) => {
    if (!(error instanceof ErrorReply) || !hopeless.test(error.message)) return undefined;
    return new ConfigError(`REDIS_URL is refused: ${error.message}`, { cause: error });
  });
  const refused = await within(options.clock, firstConnectMs, connecting);
  if (!refused) return bus;
  await bus.close();
  throw refused;
}
