/**
 * Owns what nodes tell each other of who is where: each its own changes, numbered, so that whoever missed one asks for all of them.
 * A node that falls silent is forgotten after so many of our own beats came back through the bus: the bus is the clock, so a bus
 * that is away, a node that was stopped, and clocks that differ make nobody leave.
 */
import { z } from "zod";
import type { Bus } from "../../core/bus.ts";
import type { Clock } from "../../core/clock.ts";

const Id = z.int();
const Message = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("beat"), node: z.string(), version: z.int() }),
  z.object({ kind: z.literal("move"), node: z.string(), version: z.int(), channel: Id, user: Id, inside: z.boolean() }),
  z.object({ kind: z.literal("all"), node: z.string(), version: z.int(), rooms: z.array(z.tuple([Id, z.array(Id)])) }),
  z.object({ kind: z.literal("ask"), node: z.string(), of: z.string() }),
  z.object({ kind: z.literal("typing"), node: z.string(), channel: Id, user: Id, typing: z.boolean() }),
  z.object({ kind: z.literal("leave"), node: z.string() }),
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

interface Peer {
  version: number;
  /** Our own beats that came back since its last one. */
  silence: number;
}

const topic = "presence";
const beatMs = 1_000;
const maxSilence = 15;

export class PresenceNodes {
  readonly #bus: Bus;
  readonly #node: string;
  readonly #rooms: Rooms;
  readonly #peers = new Map<string, Peer>();
  readonly #stop: (() => void)[];
  #version = 0;

  /** `node` is another one for each start. */
  constructor(bus: Bus, clock: Clock, node: string, rooms: Rooms) {
    this.#bus = bus;
    this.#node = node;
    this.#rooms = rooms;
    this.#stop = [bus.subscribe(topic, (text) => this.#receive(text)), clock.every(beatMs, () => this.#beat())];
    this.#beat();
    this.#send({ kind: "ask", node, of: "*" });
  }

  tellMove(channel: number, user: number, inside: boolean): void {
    this.#version += 1;
    this.#send({ kind: "move", node: this.#node, version: this.#version, channel, user, inside });
  }

  tellTyping(channel: number, user: number, typing: boolean): void {
    this.#send({ kind: "typing", node: this.#node, channel, user, typing });
  }

  close(): void {
    for (const stop of this.#stop) stop();
    this.#send({ kind: "leave", node: this.#node });
  }

  #send(message: Message): void {
    this.#bus.publish(topic, JSON.stringify(message));
  }

  #beat(): void {
    this.#send({ kind: "beat", node: this.#node, version: this.#version });
  }

  #receive(text: string): void {
    const { success, data: message } = Message.safeParse(JSON.parse(text));
    // A newer version may say what this one does not know.
    if (!success) return;
    if (message.node !== this.#node) this.#hear(message);
    else if (message.kind === "beat") this.#countSilence();
  }

  #hear(message: Message): void {
    const { node } = message;
    const peer = this.#peers.get(node);
    if (peer) peer.silence = 0;
    switch (message.kind) {
      case "beat":
        if (peer?.version !== message.version) this.#ask(node);
        return;
      case "move":
        if (peer?.version === message.version - 1) {
          peer.version = message.version;
          this.#rooms.hearMove(node, message.channel, message.user, message.inside);
        } else if (!peer || peer.version < message.version) this.#ask(node);
        return;
      case "all":
        this.#peers.set(node, { version: message.version, silence: 0 });
        this.#rooms.hearAll(node, message.rooms);
        return;
      case "ask":
        if (message.of === this.#node || message.of === "*")
          this.#send({ kind: "all", node: this.#node, version: this.#version, rooms: this.#rooms.local() });
        return;
      case "typing":
        this.#rooms.hearTyping(message.channel, message.user, message.typing);
        return;
      case "leave":
        this.#forget(node);
    }
  }

  #ask(of: string): void {
    this.#send({ kind: "ask", node: this.#node, of });
  }

  #countSilence(): void {
    for (const [node, peer] of this.#peers) {
      peer.silence += 1;
      if (peer.silence > maxSilence) this.#forget(node);
    }
  }

  #forget(node: string): void {
    if (this.#peers.delete(node)) this.#rooms.hearAll(node, []);
  }
}
