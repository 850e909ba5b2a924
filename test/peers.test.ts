/** What nodes go on believing of each other while the bus carries, is away, or loses something. */
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryBuses } from "../src/bus/memory.ts";
import type { Bus } from "../src/core/bus.ts";
import { Peers } from "../src/core/peers.ts";
import { ChannelPresence } from "../src/features/presence/presence.ts";
import { Addresses } from "../src/transports/socket/addresses.ts";
import { TestClock } from "./support/clock.ts";

const ignore = () => {};

let clock: TestClock;
let buses: MemoryBuses;
/** Redis is away: nobody's word arrives anywhere. */
let away: boolean;
beforeEach(() => {
  clock = new TestClock();
  buses = new MemoryBuses();
  away = false;
});

function join(): Bus {
  const bus = buses.join((error) => expect.unreachable(String(error)));
  return { ...bus, publish: (topic, message) => away || bus.publish(topic, message) };
}

/** What was said has been heard, and answered. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000);
    await settle();
  }
}

describe("the sockets of an address", () => {
  const limit = 32;

  function startNode(name: string) {
    const bus = join();
    return { bus, addresses: new Addresses(limit, new Peers(bus, clock, name)) };
  }

  /** How many more are let in. They stay. */
  function fill({ addresses }: { addresses: Addresses }, address: string, most = limit): number {
    for (let count = 0; count < most; count += 1) if (!addresses.take(address)) return count;
    return most;
  }

  test("on other nodes count as last heard while the bus is away, however long, and nobody else has fewer for it", async () => {
    const [here, there] = [startNode("here"), startNode("there")];
    expect(fill(here, "192.0.2.1", 20)).toBe(20);
    await pass(1);
    away = true;
    await pass(60);
    expect(fill(there, "192.0.2.1")).toBe(12);
    expect(fill(there, "192.0.2.2")).toBe(limit);
    expect(here.addresses.take("192.0.2.1")).toBe(true);
    away = false;
    await pass(1);
    expect(here.addresses.take("192.0.2.1")).toBe(false);
  });

  test("on a node that fell silent count no longer once four of our own beats have come back, and not before", async () => {
    const [here, there] = [startNode("here"), startNode("there")];
    fill(here, "192.0.2.1");
    await pass(1);
    await here.bus.close();
    // One came back right behind its last word.
    await pass(2);
    expect(there.addresses.take("192.0.2.1")).toBe(false);
    await pass(1);
    expect(fill(there, "192.0.2.1")).toBe(limit);
  });
});

describe("who is on another node", () => {
  interface Message {
    readonly kind: string;
    readonly of: string;
  }

  /** A node with presence, and the bus as another one has it: what it was asked, and the way to speak as it. */
  async function startBeside(node: string) {
    const bus = join();
    const asked: string[] = [];
    bus.subscribe("presence", (text) => {
      const { kind, of }: Message = JSON.parse(text);
      if (kind === "ask" && of !== "*") asked.push(of);
    });
    const ours = join();
    const presence = new ChannelPresence({
      clock,
      feeds: { announce: ignore },
      log: { subscribe: ignore },
      bus: ours,
      peers: new Peers(ours, clock, "ours"),
    });
    await settle();
    const say = async (message: object) => {
      bus.publish("presence", JSON.stringify({ node, ...message }));
      await settle();
    };
    const enter = (version: number, user: number) => say({ kind: "move", version, channel: 1, user, inside: true });
    const beat = async (version: number) => {
      bus.publish("peers", JSON.stringify({ node, says: { presence: version } }));
      await settle();
    };
    return { presence, asked, say, enter, beat };
  }

  test("is asked for once, however many moves come behind a missed one, and again when the next one is missed", async () => {
    const { presence, asked, say, enter } = await startBeside("theirs");
    for (let version = 2; version <= 200; version += 1) await enter(version, 1);
    expect(asked).toEqual(["theirs"]);
    expect(presence.users(1)).toEqual([]);
    await say({ kind: "all", version: 200, rooms: [[1, [1, 2]]] });
    await enter(201, 3);
    expect(presence.users(1)).toEqual([1, 2, 3]);
    expect(asked).toEqual(["theirs"]);
    await enter(203, 4);
    await enter(204, 5);
    expect(asked).toEqual(["theirs", "theirs"]);
  });

  test("is asked for again with each beat for as long as no answer comes, and not of one whose answer has come", async () => {
    const { asked, say, enter, beat } = await startBeside("theirs");
    await enter(2, 1);
    await beat(2);
    await enter(3, 2);
    await beat(3);
    expect(asked).toEqual(["theirs", "theirs", "theirs"]);
    await say({ kind: "all", version: 3, rooms: [[1, [1, 2]]] });
    await beat(3);
    expect(asked).toHaveLength(3);
  });
});
