/** Owns channels and users as a page shows them: all channels, one of them, one user. */
import type { KeenchatClient } from "./client.ts";
import { Collection } from "./collection.ts";
import { mayGoOn } from "./pages.ts";
import { Store, type StoreState } from "./store.ts";
import { userReaderOf } from "./user-reader.ts";
import type { Channel, KeenchatEvent, User } from "./wire.ts";

export interface ChannelsState extends StoreState {
  /** Ascending by id. */
  readonly channels: readonly Channel[];
}

export interface ChannelState extends StoreState {
  readonly channel: Channel | undefined;
}

export interface UserState extends StoreState {
  readonly user: User | undefined;
}

const pageLength = 200;

export class ChannelsStore extends Store<ChannelsState> {
  #channels = new Collection<Channel>();

  constructor(client: KeenchatClient, key: string) {
    super(client, key, { status: "loading", error: undefined, channels: [] });
  }

  protected async read(): Promise<Partial<ChannelsState>> {
    const channels = this.#channels;
    for (let after = 0; ; ) {
      const page = await this.client.channel.list({ after, limit: pageLength });
      channels.fill(page);
      const last = page.at(-1);
      if (!last || !mayGoOn(page, pageLength)) return { channels: channels.list };
      after = last.id;
    }
  }

  protected apply(event: KeenchatEvent): void {
    if (event.event === "post channel" || event.event === "put channel") this.#channels.put(event.data);
    else if (event.event === "delete channel") this.#channels.remove(event.data.id);
    else return;
    this.set({ channels: this.#channels.list });
  }

  protected forget(): void {
    this.#channels = new Collection();
    this.set({ channels: [] });
  }
}

export class ChannelStore extends Store<ChannelState> {
  readonly #id: number;
  #told = false;

  constructor(client: KeenchatClient, key: string, id: number) {
    super(client, key, { status: "loading", error: undefined, channel: undefined });
    this.#id = id;
  }

  protected async read(): Promise<Partial<ChannelState>> {
    const channel = await this.client.channel.get({ id: this.#id });
    // An event arrived meanwhile, and is newer.
    return this.#told ? {} : { channel };
  }

  protected apply(event: KeenchatEvent): void {
    if (event.event === "put channel" && event.data.id === this.#id) {
      this.#told = true;
      this.set({ channel: event.data });
    }
    if (event.event === "delete channel" && event.data.id === this.#id) this.set({ status: "gone", channel: undefined });
  }

  protected forget(): void {
    this.#told = false;
  }
}

/** Users never change. */
export class UserStore extends Store<UserState> {
  readonly #id: number;

  constructor(client: KeenchatClient, key: string, id: number) {
    super(client, key, { status: "loading", error: undefined, user: undefined });
    this.#id = id;
  }

  protected async read(): Promise<Partial<UserState>> {
    return { user: await userReaderOf(this.client).read(this.#id) };
  }

  protected apply(): void {}

  protected forget(): void {}
}
