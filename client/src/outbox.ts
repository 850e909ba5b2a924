/** Owns pending messages: shown at once, sent in order, kept until the server has them, and never posted twice. */
import { createClientMessageId, type KeenchatClient } from "./client.ts";
import type { KeenchatError } from "./errors.ts";
import { type Observable, ObservableValue } from "./observable.ts";
import type { PendingMessage, PendingStorage } from "./pending.ts";
import { type Session, sessionOf } from "./session.ts";
import { delayAfter, eventsOf, sharedOf, startTimer, toError } from "./store.ts";
import type { KeenchatEvent, Message } from "./wire.ts";

/** The author of a message, who alone may send it: a user id, or the token until the id is known; null: no user. */
type Owner = number | string | null;

interface Item {
  readonly owner: Owner;
  readonly message: PendingMessage;
  /** Whether the storage has it; a message that is missing there was discarded by another page. */
  readonly stored?: Promise<boolean>;
}

export class Outbox {
  readonly #client: KeenchatClient;
  readonly #session: Session;
  /** The messages of all users of this page, in the order of writing. */
  #items: readonly Item[] = [];
  readonly #shown = new ObservableValue<readonly PendingMessage[]>([]);
  readonly #posted = new Set<(message: Message) => void>();
  #storage: PendingStorage | undefined;
  #isSending = false;
  /** The connection came back while a message was being sent. */
  #isBack = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopListening: (() => void) | undefined;

  constructor(client: KeenchatClient) {
    this.#client = client;
    this.#session = sessionOf(client);
    this.#session.subscribe(() => this.#greet());
  }

  /** The messages of the signed-in user. */
  get pending(): Observable<readonly PendingMessage[]> {
    return this.#shown;
  }

  /** From now on the messages survive a reload; stored ones are sent. The first storage is kept. */
  keepIn(storage: PendingStorage): void {
    if (this.#storage) return;
    this.#storage = storage;
    this.#greet();
  }

  /** Calls back with the server's answer to each message, before the pending one goes. */
  onPosted(callback: (message: Message) => void): () => void {
    this.#posted.add(callback);
    return () => void this.#posted.delete(callback);
  }

  add(channelId: number, messageText: string): void {
    const id = createClientMessageId();
    // Later than the messages before it, even if the wall clock went back, because a reloaded page sorts them by time.
    const time = Math.max(Date.now(), ...this.#items.map(({ message }) => message.time + 1));
    const message = { client_message_id: id, channel_id: channelId, message_text: messageText, time };
    this.#change([...this.#items, this.#keep({ owner: this.#owner, message })]);
    this.#send();
  }

  readonly retry = (clientMessageId: string): void => {
    this.#mark(clientMessageId, undefined);
    this.#send();
  };

  /** The server has it, or its author discarded it. */
  readonly drop = (clientMessageId: string): void => {
    const item = this.#items.find(({ message }) => message.client_message_id === clientMessageId);
    if (!item) return;
    const { owner } = item;
    if (typeof owner === "number") void this.#inStorage((storage) => storage.remove(owner, clientMessageId));
    this.#change(this.#items.filter((other) => other !== item));
  };

  get #owner(): Owner {
    return this.#session.current.self?.user_id ?? this.#client.token.current;
  }

  /** Another user signed in, or the user id is known now: shows and sends that user's messages. */
  async #greet(): Promise<void> {
    const userId = this.#session.current.self?.user_id;
    if (userId === undefined) return this.#change(this.#items);
    const token = this.#client.token.current;
    this.#change(this.#items.map((item) => (item.owner === token ? { ...item, owner: userId } : item)));
    this.#change(this.#items.map((item) => (item.stored ? item : this.#keep(item))));
    const kept = await this.#list(userId);
    const known = new Set(this.#items.map(({ message }) => message.client_message_id));
    const added = kept
      .filter((message) => !known.has(message.client_message_id))
      .map((message) => ({ owner: userId, message, stored: Promise.resolve(true) }));
    this.#change([...added, ...this.#items].sort((one, other) => one.message.time - other.message.time));
    this.#send();
  }

  #keep(item: Item): Item {
    const { owner, message } = item;
    if (typeof owner !== "number" || !this.#storage) return item;
    const { error, ...kept } = message;
    void this.#inStorage((storage) => storage.set(owner, kept));
    return { ...item, stored: this.#has(owner, message) };
  }

  async #list(userId: number): Promise<readonly PendingMessage[]> {
    return (await this.#inStorage((storage) => storage.list(userId))) ?? [];
  }

  /** A storage that fails is treated as missing: pending messages then last as long as the page. */
  async #inStorage<Result>(use: (storage: PendingStorage) => Result): Promise<Awaited<Result> | undefined> {
    try {
      return this.#storage && (await use(this.#storage));
    } catch {
      return undefined;
    }
  }

  async #has(userId: number, { client_message_id }: PendingMessage): Promise<boolean> {
    return (await this.#list(userId)).some((message) => message.client_message_id === client_message_id);
  }

  async #isGivenUpElsewhere({ owner, message, stored }: Item): Promise<boolean> {
    return typeof owner === "number" && ((await stored) ?? false) && !(await this.#has(owner, message));
  }

  /** Sends the waiting messages one after the other, so that their order in the channel is that of the outbox. */
  async #send(): Promise<void> {
    // The loop that is already sending checks for new messages before it ends.
    if (this.#isSending) return;
    this.#isSending = true;
    clearTimeout(this.#timer);
    try {
      for (let item = this.#first(); item; item = this.#first()) {
        this.#isBack = false;
        const error = await this.#sendOne(item);
        if (!error?.transient || item.owner !== this.#owner) continue;
        // A listener of its error has already retried or discarded it.
        if (!this.#first()?.message.error) continue;
        if (error.code === "UNREACHABLE" && this.#isBack) continue;
        this.#timer = startTimer(() => this.#send(), delayAfter(error));
        return;
      }
    } finally {
      this.#isSending = false;
    }
  }

  #first(): Item | undefined {
    return this.#items.find(({ owner, message }) => owner === this.#owner && (message.error?.transient ?? true));
  }

  async #sendOne(item: Item): Promise<KeenchatError | undefined> {
    const { client_message_id, channel_id, message_text } = item.message;
    if (await this.#isGivenUpElsewhere(item)) this.drop(client_message_id);
    // Meanwhile it may have been discarded, or another user may have signed in.
    const isThere = this.#items.some(({ message }) => message.client_message_id === client_message_id);
    if (!isThere || item.owner !== this.#owner) return undefined;
    const token = this.#client.token.current;
    try {
      const message = await this.#client.message.post({ client_message_id, channel_id, message_text });
      for (const callback of this.#posted) callback(message);
      this.drop(client_message_id);
      return undefined;
    } catch (reason) {
      const error = toError(reason);
      // Only this message had this id, so it was posted and then removed.
      if (error.code === "CONFLICT") this.drop(client_message_id);
      // It can be sent in another session of its author.
      else if (error.code !== "UNAUTHORIZED" || this.#client.token.current === token) this.#mark(client_message_id, error);
      return error;
    }
  }

  #mark(clientMessageId: string, error: KeenchatError | undefined): void {
    const isIt = (item: Item) => item.message.client_message_id === clientMessageId;
    this.#change(this.#items.map((item) => (isIt(item) ? { ...item, message: { ...item.message, error } } : item)));
  }

  #change(items: readonly Item[]): void {
    this.#items = items;
    const shown = items.filter(({ owner }) => owner === this.#owner).map(({ message }) => message);
    if (shown.length > 0 || this.#shown.current.length > 0) this.#shown.set(shown);
    if (shown.length > 0) this.#stopListening ??= eventsOf(this.#client).add({ onEvent: (event) => this.#hear(event) });
    else {
      this.#stopListening?.();
      this.#stopListening = undefined;
    }
  }

  #hear({ event, data }: KeenchatEvent): void {
    if (event === "ready") {
      this.#isBack = true;
      this.#send();
    }
    if (event === "post message" && data.user_id === this.#owner && data.client_message_id !== undefined) this.drop(data.client_message_id);
    if (event === "delete channel")
      for (const { channel_id, client_message_id } of this.#shown.current) if (channel_id === data.id) this.drop(client_message_id);
  }
}

export function outboxOf(client: KeenchatClient): Outbox {
  return sharedOf(client, "outbox", () => new Outbox(client));
}
