/** Owns messages on their way: shown at once, sent in order, kept until the server has them, never there twice. */
import { createClientMessageId, type KeenchatClient, KeenchatError, type Message } from "@keenchat/client";
import type { Kept } from "./kept.ts";
import type { Outgoing } from "./outgoing.ts";
import { sayError } from "./words.ts";

export interface OutboxOptions {
  readonly client: KeenchatClient;
  readonly kept: Kept;
  readonly onChange: (outgoing: readonly Outgoing[]) => void;
  readonly onPosted: (message: Message) => void;
}

const retryMs = 5_000;

export class Outbox {
  readonly #options: OutboxOptions;
  #items: readonly Outgoing[];
  #sending = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#items = options.kept.outgoing();
  }

  get items(): readonly Outgoing[] {
    return this.#items;
  }

  add(channelId: number, text: string): void {
    const item: Outgoing = { key: createClientMessageId(), channelId, text, at: Date.now(), state: "waiting" };
    this.#options.kept.setOutgoing(item);
    this.#change([...this.#items, item]);
    this.send();
  }

  /** The server has it, or the writer let it go. */
  drop(key: string): void {
    if (!this.#items.some((item) => item.key === key)) return;
    this.#options.kept.dropOutgoing(key);
    this.#change(this.#items.filter((item) => item.key !== key));
  }

  /** Sends what waits, one after the other, so that order is kept. */
  send(): void {
    clearTimeout(this.#timer);
    if (this.#sending) return;
    const item = this.#items.find(({ state }) => state === "waiting");
    if (!item) return;
    this.#sending = true;
    this.#mark(item.key, { state: "sending" });
    void this.#post(item);
  }

  retry(key: string): void {
    this.#mark(key, { state: "waiting" });
    this.send();
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  async #post({ key, channelId, text }: Outgoing): Promise<void> {
    const { client, onPosted } = this.#options;
    try {
      const message = await client.message.post({ channel_id: channelId, message_text: text, client_message_id: key });
      this.#sending = false;
      onPosted(message);
      this.drop(key);
      this.send();
    } catch (error) {
      this.#sending = false;
      this.#failed(key, error);
    }
  }

  #failed(key: string, error: unknown): void {
    // Only this message ever has this key: it was posted, and deleted since.
    if (error instanceof KeenchatError && error.code === "CONFLICT") {
      this.drop(key);
      this.send();
    } else if (error instanceof KeenchatError && (error.transient || error.code === "UNAUTHORIZED")) {
      const reason = error.code === "UNREACHABLE" ? "It goes out by itself when the server is back." : sayError(error);
      this.#mark(key, { state: "waiting", reason });
      this.#timer = setTimeout(() => this.send(), Math.max(error.retryAfterMs ?? 0, retryMs));
    } else {
      this.#mark(key, { state: "refused", reason: sayError(error) });
      this.send();
    }
  }

  #mark(key: string, changes: Pick<Outgoing, "state" | "reason">): void {
    this.#change(this.#items.map((item) => (item.key === key ? { ...item, ...changes } : item)));
  }

  #change(items: readonly Outgoing[]): void {
    this.#items = items;
    this.#options.onChange(items);
  }
}
