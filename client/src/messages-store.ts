/** Owns the messages of a channel as a page shows them: the newest, and the older ones on demand. */
import type { KeenchatClient } from "./client.ts";
import { Collection } from "./collection.ts";
import { mayGoOn } from "./pages.ts";
import { Store, type StoreState, toError } from "./store.ts";
import type { KeenchatEvent, Message } from "./wire.ts";

export interface MessagesState extends StoreState {
  /** Ascending by id. */
  readonly messages: readonly Message[];
  readonly hasOlder: boolean;
  readonly loadingOlder: boolean;
}

const pageLength = 50;
/** Messages that stay after trimming, which begins at twice as many. */
const keptLength = 400;
const nothing: MessagesState = { status: "loading", error: undefined, messages: [], hasOlder: false, loadingOlder: false };

export class MessagesStore extends Store<MessagesState> {
  readonly #channelId: number;
  #messages = new Collection<Message>();
  /** The read of an older page that is under way; it is ignored if its messages were trimmed meanwhile. */
  #older: Promise<void> | undefined;

  constructor(client: KeenchatClient, key: string, channelId: number) {
    super(client, key, nothing);
    this.#channelId = channelId;
  }

  /** Reads the page before the first message; a call while one is being read waits for that one. */
  readonly loadOlder = async (): Promise<void> => {
    const first = this.state.messages[0];
    if (!this.state.hasOlder || !first) return;
    if (!this.#older) {
      this.#older = this.#readBefore(first.id);
      this.set({ loadingOlder: true, error: undefined });
    }
    return this.#older;
  };

  async #readBefore(before: number): Promise<void> {
    const collection = this.#messages;
    let change: Partial<MessagesState> = {};
    try {
      const page = await this.client.message.list({ channel_id: this.#channelId, before, limit: pageLength });
      if (collection !== this.#messages) return;
      // After a trim in the meantime, this page would leave a gap.
      if (this.state.messages[0]?.id === before) {
        collection.fill(page);
        change = { messages: collection.list, hasOlder: mayGoOn(page, pageLength) };
      }
    } catch (reason) {
      if (collection !== this.#messages) return;
      change = { error: toError(reason) };
    }
    this.#older = undefined;
    this.set({ ...change, loadingOlder: false });
  }

  readonly trim = (): void => {
    const { messages } = this.state;
    const first = messages.length > keptLength * 2 && messages.at(-keptLength);
    if (!first) return;
    this.#messages.dropBefore(first.id);
    this.set({ messages: this.#messages.list, hasOlder: true });
  };

  /** The answer to a post. */
  readonly receive = (message: Message): void => {
    if (message.channel_id !== this.#channelId) return;
    this.#messages.fill([message]);
    this.set({ messages: this.#messages.list });
  };

  protected async read(): Promise<Partial<MessagesState>> {
    const messages = this.#messages;
    const page = await this.client.message.list({ channel_id: this.#channelId, limit: pageLength });
    const hasOlder = mayGoOn(page, pageLength);
    const [first] = page;
    if (hasOlder && first) messages.dropBefore(first.id);
    messages.fill(page);
    return { messages: messages.list, hasOlder };
  }

  protected apply(event: KeenchatEvent): void {
    if (event.event === "delete channel" && event.data.id === this.#channelId) {
      this.forget();
      return this.set({ status: "gone" });
    }
    if (event.event === "post message" || event.event === "put message") {
      const message = event.data;
      if (message.channel_id !== this.#channelId) return;
      const first = this.state.messages[0];
      if (this.state.hasOlder && first && message.id < first.id) {
        if (this.state.loadingOlder) this.#messages.expect(message);
        return;
      }
      this.#messages.put(message);
      this.set({ messages: this.#messages.list });
    }
    if (event.event === "delete message" && event.data.channel_id === this.#channelId) {
      this.#messages.remove(event.data.id);
      this.set({ messages: this.#messages.list });
    }
  }

  protected forget(): void {
    this.#messages = new Collection();
    this.#older = undefined;
    this.set({ messages: [], hasOlder: false, loadingOlder: false });
  }
}
