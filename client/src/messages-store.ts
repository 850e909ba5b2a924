/** Owns the messages of a channel as a page shows them: the newest, the older ones on demand, and those on their way. */
import { createClientMessageId, type KeenchatClient } from "./client.ts";
import { Collection } from "./collection.ts";
import { KeenchatError } from "./errors.ts";
import { Store, type StoreState, toError } from "./store.ts";
import type { KeenchatEvent, Message } from "./wire.ts";

/** A message that the server has not confirmed yet. */
export interface PendingMessage {
  readonly client_message_id: string;
  readonly channel_id: number;
  readonly message_text: string;
  /** When it was written, in milliseconds since the Unix epoch by this machine's clock. */
  readonly time: number;
  /** Why it could not be sent; missing while it is on its way. */
  readonly error?: KeenchatError | undefined;
}

export interface MessagesState extends StoreState {
  /** Ascending by id. */
  readonly messages: readonly Message[];
  /** In the order they were written. */
  readonly pending: readonly PendingMessage[];
  readonly hasOlder: boolean;
  readonly loadingOlder: boolean;
}

const pageLength = 50;
const nothing: MessagesState = { status: "loading", error: undefined, messages: [], pending: [], hasOlder: false, loadingOlder: false };

export class MessagesStore extends Store<MessagesState> {
  readonly #channelId: number;
  readonly #messages = new Collection<Message>();
  /** The token each pending message was written under: another user's session never sends it. */
  readonly #writtenUnder = new Map<string, string | null>();
  #sending = false;

  constructor(client: KeenchatClient, key: string, channelId: number) {
    super(client, key, nothing);
    this.#channelId = channelId;
  }

  /** Shows a message at once and sends it, after those before it. */
  readonly post = (messageText: string): void => {
    const message = {
      client_message_id: createClientMessageId(),
      channel_id: this.#channelId,
      message_text: messageText,
      time: Date.now(),
    };
    this.#writtenUnder.set(message.client_message_id, this.client.token.current);
    this.set({ pending: [...this.state.pending, message] });
    void this.#send();
  };

  /** Tries again to send a message that could not be sent. It is never there twice. */
  readonly retry = (clientMessageId: string): void => {
    this.#writtenUnder.set(clientMessageId, this.client.token.current);
    this.#change(clientMessageId, (message) => ({ ...message, error: undefined }));
    void this.#send();
  };

  /** Gives up a message that could not be sent. */
  readonly discard = (clientMessageId: string): void => {
    this.#settle(clientMessageId);
  };

  readonly loadOlder = async (): Promise<void> => {
    const { hasOlder, loadingOlder, messages } = this.state;
    const first = messages[0];
    if (!hasOlder || loadingOlder || !first) return;
    this.set({ loadingOlder: true });
    try {
      const page = await this.client.message.list({ channel_id: this.#channelId, before: first.id, limit: pageLength });
      // All was forgotten meanwhile, and this page would leave a hole.
      if (this.state.messages[0]?.id !== first.id) return;
      this.#messages.fill(page);
      this.set({ messages: this.#messages.list, hasOlder: page.length === pageLength, error: undefined });
    } catch (reason) {
      this.set({ error: toError(reason) });
    } finally {
      this.set({ loadingOlder: false });
    }
  };

  protected override get busy(): boolean {
    return this.state.pending.length > 0;
  }

  protected async read(): Promise<Partial<MessagesState>> {
    const page = await this.client.message.list({ channel_id: this.#channelId, limit: pageLength });
    const hasOlder = page.length === pageLength;
    const [first] = page;
    if (hasOlder && first) this.#messages.dropBefore(first.id);
    this.#messages.fill(page);
    return { messages: this.#messages.list, hasOlder };
  }

  protected apply(event: KeenchatEvent): void {
    if (event.event === "ready") return this.#sendAgain();
    if (event.event === "delete channel" && event.data.id === this.#channelId) {
      this.#messages.clear();
      return this.set({ status: "gone", messages: [], hasOlder: false });
    }
    if (event.event === "post message" || event.event === "put message") {
      const message = event.data;
      if (message.channel_id !== this.#channelId) return;
      const first = this.state.messages[0];
      if (this.state.hasOlder && first && message.id < first.id) return;
      this.#messages.put(message);
      this.#show(message);
    }
    if (event.event === "delete message" && event.data.channel_id === this.#channelId) {
      this.#messages.remove(event.data.id);
      this.set({ messages: this.#messages.list });
    }
  }

  protected forget(): void {
    this.#messages.clear();
    this.set({ messages: [], hasOlder: false });
  }

  /** The way to the server is there again: what failed for want of it goes out. */
  #sendAgain(): void {
    for (const { client_message_id, error } of this.state.pending)
      if (error?.transient && this.#isOurs(client_message_id))
        this.#change(client_message_id, (message) => ({ ...message, error: undefined }));
    void this.#send();
  }

  #isOurs(clientMessageId: string): boolean {
    return this.#writtenUnder.get(clientMessageId) === this.client.token.current;
  }

  /** One after the other: they arrive in the order they were written. */
  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    try {
      for (let next = this.#nextToSend(); next; next = this.#nextToSend()) await this.#sendOne(next);
    } finally {
      this.#sending = false;
    }
  }

  #nextToSend(): PendingMessage | undefined {
    return this.state.pending.find((message) => !message.error);
  }

  async #sendOne({ client_message_id, channel_id, message_text }: PendingMessage): Promise<void> {
    try {
      if (!this.#isOurs(client_message_id))
        throw new KeenchatError("Signed out before it was sent.", { code: "UNAUTHORIZED", status: 401 });
      const message = await this.client.message.post({ client_message_id, channel_id, message_text });
      this.#messages.fill([message]);
      this.#show(message);
    } catch (reason) {
      const error = toError(reason);
      // Only this message ever had this id: it was there, and somebody has removed it.
      if (error.code === "CONFLICT") this.#settle(client_message_id);
      else this.#change(client_message_id, (message) => ({ ...message, error }));
    }
  }

  #change(clientMessageId: string, change: (message: PendingMessage) => PendingMessage): void {
    const pending = this.state.pending.map((message) => (message.client_message_id === clientMessageId ? change(message) : message));
    this.set({ pending });
  }

  /** A message is there: it is shown in the place of the pending one. */
  #show({ client_message_id }: Message): void {
    const messages = this.#messages.list;
    if (client_message_id !== undefined && this.#writtenUnder.has(client_message_id)) this.#settle(client_message_id, { messages });
    else this.set({ messages });
  }

  #settle(clientMessageId: string, change: Partial<MessagesState> = {}): void {
    this.#writtenUnder.delete(clientMessageId);
    this.set({ ...change, pending: this.state.pending.filter((message) => message.client_message_id !== clientMessageId) });
  }
}
