/** Owns the conversation with the server while somebody is signed in: what is read, what is followed, what is done. */
import type { Channel, KeenchatClient, KeenchatEvent, Message, Self, Typing } from "@keenchat/client";
import { applyEvent } from "./events.ts";
import { Kept } from "./kept.ts";
import { Outbox } from "./outbox.ts";
import { createState, type State } from "./state.ts";
import { Store, withEntry } from "./store.ts";
import { change, emptyTimeline, merge, prepend, remove, type Timeline, trim } from "./timeline.ts";

const pageSize = 60;
const listLimit = 200;

export class Chat {
  readonly client: KeenchatClient;
  readonly store: Store<State>;
  readonly kept: Kept;
  readonly outbox: Outbox;
  /** Messages known to be gone: a page that was on its way does not bring them back. */
  readonly #deleted = new Set<number>();
  readonly #asked = new Set<number>();
  readonly #loadingOlder = new Set<number>();
  readonly #typing = new Map<number, Typing>();
  readonly #stops: (() => void)[] = [];
  #leave: (() => void) | undefined;
  /** Whether events come from the past. */
  #catchingUp = true;
  #replayed = 0;

  constructor(client: KeenchatClient, self: Self) {
    this.client = client;
    this.store = new Store(createState(self));
    this.kept = new Kept(self.user_id);
    this.outbox = new Outbox({
      client,
      kept: this.kept,
      onChange: (outbox) => this.store.set({ outbox }),
      onPosted: (message) => this.#receive(message),
    });
    this.store.set({ outbox: this.outbox.items });
    this.#stops.push(
      client.events().subscribe(
        (event) => this.#onEvent(event),
        () => {},
      ),
    );
    this.#stops.push(client.connection.subscribe(() => this.#onConnection()));
    this.#onConnection();
  }

  close(): void {
    this.#leave?.();
    for (const stop of this.#stops.splice(0)) stop();
    this.outbox.close();
  }

  /** Goes into a channel, or into none. */
  open(id: number | undefined): void {
    const { openId, unread } = this.store.get();
    if (id === openId) return;
    this.#leave?.();
    this.#leave = undefined;
    if (openId !== undefined) this.#typing.get(openId)?.stop();
    const newFrom = id === undefined ? undefined : unread.get(id)?.first;
    this.store.set({ openId: id, here: [], newFrom });
    if (id === undefined) return;
    this.kept.lastChannel = id;
    const stream = this.client.presence(id);
    this.#leave = stream.subscribe(
      ({ users }) => {
        this.store.set({ here: users });
        this.#askNames(users);
      },
      () => this.store.set({ here: [] }),
    );
    if (!this.store.get().timelines.has(id)) void this.load(id);
  }

  /** What was new in the open channel has been seen. */
  see(id: number): void {
    const { unread } = this.store.get();
    if (unread.has(id)) this.store.set({ unread: withEntry(unread, id, undefined) });
  }

  clearNewLine(): void {
    if (this.store.get().newFrom !== undefined) this.store.set({ newFrom: undefined });
  }

  /** Reads the newest page of a channel. */
  async load(id: number): Promise<void> {
    this.store.set({ timelines: withEntry(this.store.get().timelines, id, emptyTimeline) });
    try {
      const page = await this.client.message.list({ channel_id: id, limit: pageSize });
      this.#setTimeline(id, (timeline) => ({
        ...merge(timeline, this.#present(page)),
        hasOlder: page.length === pageSize,
        state: "ready",
      }));
      this.#askNames(page.map(({ user_id }) => user_id));
    } catch {
      this.#setTimeline(id, (timeline) => ({ ...timeline, state: "failed" }));
    }
  }

  /** Reads the page above what is there. */
  async loadOlder(id: number): Promise<void> {
    const before = this.store.get().timelines.get(id)?.messages[0]?.id;
    if (before === undefined || this.#loadingOlder.has(id)) return;
    this.#loadingOlder.add(id);
    try {
      const page = await this.client.message.list({ channel_id: id, before, limit: pageSize });
      this.#askNames(page.map(({ user_id }) => user_id));
      this.#setTimeline(id, (timeline) => prepend(timeline, this.#present(page), page.length === pageSize));
    } finally {
      this.#loadingOlder.delete(id);
    }
  }

  /** Lets go of what is far above; for a reader at the bottom. */
  trim(id: number): void {
    this.#setTimeline(id, trim);
  }

  async changeMessage(message: Message, text: string): Promise<void> {
    if (text === message.message_text) return;
    const changed = await this.client.message.put({ id: message.id, message_text: text });
    this.#setTimeline(message.channel_id, (timeline) => change(timeline, changed));
  }

  async deleteMessage({ id, channel_id }: Message): Promise<void> {
    await this.client.message.delete({ id });
    this.#deleted.add(id);
    this.#setTimeline(channel_id, (timeline) => remove(timeline, id));
  }

  async saveChannel(id: number | undefined, input: { title: string; description: string }): Promise<Channel> {
    const channel = await (id === undefined ? this.client.channel.post(input) : this.client.channel.put({ id, ...input }));
    const { channels = new Map() } = this.store.get();
    this.store.set({ channels: withEntry(channels, channel.id, channel) });
    return channel;
  }

  async deleteChannel(id: number): Promise<void> {
    await this.client.channel.delete({ id });
    this.#onEvent({ event: "delete channel", data: { id } });
  }

  typing(id: number): Typing {
    let typing = this.#typing.get(id);
    if (!typing) {
      typing = this.client.typing(id);
      this.#typing.set(id, typing);
    }
    return typing;
  }

  #onConnection(): void {
    const connection = this.client.connection.current;
    const isAway = connection === "connecting" || connection === "offline";
    if (isAway) this.#catchingUp = true;
    // Whoever stops while we hear nothing would be typing for ever.
    this.store.set({ connection, ...(isAway && { typing: new Map() }) });
    if (connection !== "live") return;
    this.outbox.send();
    const { openId, timelines } = this.store.get();
    if (openId !== undefined && timelines.get(openId)?.state === "failed") void this.load(openId);
  }

  #onEvent(event: KeenchatEvent): void {
    const { wire } = this.store.get();
    if (event.event === "ready" || event.event === "resync") {
      const isNew = this.#catchingUp;
      this.#catchingUp = false;
      const reconnected = isNew && { replayed: this.#replayed, connections: wire.connections + 1 };
      this.store.set({ wire: { ...wire, cursor: event.data.cursor, ...reconnected } });
      this.#replayed = 0;
      if (event.event === "resync" || this.store.get().channels === undefined) void this.#readAll();
      return;
    }
    if (this.#catchingUp) this.#replayed += 1;
    if (event.id !== undefined) this.store.set({ wire: { ...wire, cursor: event.id } });
    if (event.event === "delete message") this.#deleted.add(event.data.id);
    if (event.event === "post message") {
      const { user_id, client_message_id } = event.data;
      this.#askNames([user_id]);
      if (user_id === this.store.get().self.user_id && client_message_id !== undefined) this.outbox.drop(client_message_id);
    }
    if (event.event === "start typing") this.#askNames([event.data.user_id]);
    const state = this.store.get();
    const changes = applyEvent(state, event);
    if (event.event === "delete channel" && state.openId === event.data.id) this.open(undefined);
    this.store.set(changes);
  }

  /** Reads everything anew: at the start, and where the log cannot be continued. */
  async #readAll(): Promise<void> {
    const { openId } = this.store.get();
    this.store.set({ timelines: new Map(), unread: new Map() });
    try {
      const [channels, users] = await Promise.all([this.#readChannels(), this.client.user.list({ limit: listLimit })]);
      const names = new Map(this.store.get().users);
      for (const { id, username } of users) names.set(id, username);
      this.store.set({ users: names, channels: new Map(channels.map((channel) => [channel.id, channel])) });
    } catch {
      // The next connection begins with `ready`, and so does the next try.
      this.client.connection.reconnect();
      return;
    }
    if (openId !== undefined) await this.load(openId);
  }

  async #readChannels(): Promise<Channel[]> {
    const channels: Channel[] = [];
    for (;;) {
      const page = await this.client.channel.list({ after: channels.at(-1)?.id ?? 0, limit: listLimit });
      channels.push(...page);
      if (page.length < listLimit) return channels;
    }
  }

  #receive(message: Message): void {
    this.#setTimeline(message.channel_id, (timeline) => merge(timeline, this.#present([message])));
  }

  #present(messages: readonly Message[]): readonly Message[] {
    return messages.filter(({ id }) => !this.#deleted.has(id));
  }

  /** Changes a timeline that is there; one that was never read, or is no more, has nothing to be changed. */
  #setTimeline(id: number, update: (timeline: Timeline) => Timeline): void {
    const { timelines } = this.store.get();
    const before = timelines.get(id);
    const after = before && update(before);
    if (after !== before) this.store.set({ timelines: withEntry(timelines, id, after) });
  }

  /** Learns the names of users nobody has told of yet. */
  #askNames(ids: readonly number[]): void {
    for (const id of ids) {
      if (this.#asked.has(id) || this.store.get().users.has(id)) continue;
      this.#asked.add(id);
      this.client.user.get({ id }).then(
        ({ username }) => this.store.set({ users: withEntry(this.store.get().users, id, username) }),
        () => this.#asked.delete(id),
      );
    }
  }
}
