/** Owns what nodes tell each other of who is where: each its own changes, numbered, so that a node that missed one asks for all of them. */
import { z } from "zod";
import type { Bus } from "../../core/bus.ts";
import type { Peers } from "../../core/peers.ts";

const Id = z.int();
const Message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("move"), node: z.string(), version: z.int(), channel: Id, user: Id, inside: z.boolean() }),
  z.object({ kind: z.literal("all"), node: z.string(), version: z.int(), rooms: z.array(z.tuple([Id, z.array(Id)])) }),
  z.object({ kind: z.literal("ask"), node: z.string(), of: z.string() }),
  z.object({ kind: z.literal("typing"), node: z.string(), channel: Id, user: Id, typing: z.boolean() }),
]);
type Message = z.infer<typeof Message>;

/** The people of this node, and a place for those of the others. */
export interface Rooms {
  /** Everybody whom sockets of this node hold in a channel. */
  local(): [channelId: number, users: number[]][];
  hearMove(node: string, channelId: number, userId: number, inside: boolean): void;
  /** What a node has told before is no longer true; this is. */
  hearAll(node: string, rooms: readonly (readonly [channelId: number, users: readonly number[]])[]): void;
  hearTyping(channelId: number, userId: number, typing: boolean): void;
}

const topic = "presence";

export class PresenceNodes {
  readonly #bus: Bus;
  readonly #peers: Peers;
  readonly #rooms: Rooms;
  /** How many changes of each node are known here. */
  readonly #known = new Map<string, number>();
  /** Asked, and not yet answered: until then each of their moves would be a reason to ask. */
  readonly #asked = new Set<string>();
  readonly #stopListening: () => void;
  #version = 0;

  constructor(bus: Bus, peers: Peers, rooms: Rooms) {
    this.#bus = bus;
    this.#peers = peers;
    this.#rooms = rooms;
    this.#stopListening = bus.subscribe(topic, (text) => this.#receive(text));
    peers.about(topic, { say: () => this.#version, hear: (node, version) => this.#compare(node, version) });
    this.#ask("*");
  }

  tellMove(channel: number, user: number, inside: boolean): void {
    this.#version += 1;
    this.#send({ kind: "move", node: this.#peers.node, version: this.#version, channel, user, inside });
  }

  tellTyping(channel: number, user: number, typing: boolean): void {
    this.#send({ kind: "typing", node: this.#peers.node, channel, user, typing });
  }

  close(): void {
    this.#stopListening();
  }

  #send(message: Message): void {
    this.#bus.publish(topic, JSON.stringify(message));
  }

  #ask(of: string): void {
    this.#asked.add(of);
    this.#send({ kind: "ask", node: this.#peers.node, of });
  }

  /** What a node says of itself with each beat: how many changes it has told. Asked again, as question or answer may be lost. */
  #compare(node: string, version: unknown): void {
    if (version === undefined) {
      this.#asked.delete(node);
      if (this.#known.delete(node)) this.#rooms.hearAll(node, []);
    } else if (this.#known.get(node) !== version) this.#ask(node);
  }

  #receive(text: string): void {
    const { success, data: message } = Message.safeParse(JSON.parse(text));
    // A newer version may say what this one does not know.
    if (!success || message.node === this.#peers.node) return;
    this.#peers.heard(message.node);
    this.#hear(message);
  }

  #hear(message: Message): void {
    const { node } = message;
    const known = this.#known.get(node);
    switch (message.kind) {
      case "move":
        if (known === message.version - 1) {
          this.#known.set(node, message.version);
          this.#rooms.hearMove(node, message.channel, message.user, message.inside);
        } else if ((known === undefined || known < message.version) && !this.#asked.has(node)) this.#ask(node);
        return;
      case "all":
        this.#asked.delete(node);
        this.#known.set(node, message.version);
        this.#rooms.hearAll(node, message.rooms);
        return;
      case "ask":
        if (message.of === this.#peers.node || message.of === "*")
          this.#send({ kind: "all", node: this.#peers.node, version: this.#version, rooms: this.#rooms.local() });
        return;
      case "typing":
        this.#rooms.hearTyping(message.channel, message.user, message.typing);
    }
  }
}
