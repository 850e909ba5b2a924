/** A process of readers, on raw sockets but for Socket.IO's. All get the same bytes, so each is held against the one that is ahead; the bytes themselves are read once, at the end. */
import type { Socket } from "node:net";
import process from "node:process";
import { Arrivals, numberOf } from "./arrivals.ts";
import { answer } from "./child.ts";
import { clientFrame, framesOf, openSocket } from "./raw-socket.ts";
import { openSocketIo } from "./socket-io-reader.ts";

/** `elsewhere` reads by tRPC too, but about a channel in which nothing is posted. `websocket` and `polling` are Socket.IO's. */
export type WireName = "bare" | "plain" | "trpc" | "elsewhere" | "websocket" | "polling";

export interface ReadersReport {
  /** Frames that reached readers, over all of them. */
  readonly deliveries: number;
  /** Processor time of the readers' process. */
  readonly readersCpuMs: number;
  readonly lost: number;
  readonly repeated: number;
  /** From a message's sending to a reader's frame; only where it was asked how long that takes. */
  readonly latencyMs?: { readonly p50: number; readonly p99: number; readonly most: number };
}

/** What the first reader to get so far has got since the beginning of a measurement. */
class Stream {
  #bytes = Buffer.alloc(1024 * 1024);
  length = 0;

  /** Whether `frames` are what stands at `at`; what lies beyond the end is added to it. */
  matches(frames: Buffer, at: number): boolean {
    const known = Math.min(frames.length, this.length - at);
    if (this.#bytes.compare(frames, 0, known, at, at + known) !== 0) return false;
    if (known < frames.length) this.#append(frames.subarray(known));
    return true;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }

  #append(more: Buffer): void {
    while (this.length + more.length > this.#bytes.length) this.#bytes = Buffer.concat([this.#bytes, Buffer.alloc(this.#bytes.length)]);
    more.copy(this.#bytes, this.length);
    this.length += more.length;
  }
}

interface Reader {
  socket: Socket | undefined;
  /** How far it has got in the stream. */
  at: number;
  /** How many messages of it have been noted. */
  seen: number;
  /** It got something else than the others. */
  astray: boolean;
  opened: () => void;
}

const openings: Record<Exclude<WireName, "websocket" | "polling">, { path: string; first?: string }> = {
  bare: { path: "/" },
  plain: { path: "/", first: JSON.stringify({ event: "connection" }) },
  trpc: { path: "/trpc", first: JSON.stringify({ id: 1, method: "subscription", params: { path: "events" } }) },
  elsewhere: {
    path: "/trpc",
    first: JSON.stringify({ id: 1, method: "subscription", params: { path: "events", input: { channel_id: [2] } } }),
  },
};
const openAtOnce = 100;

const readers: Reader[] = [];
let stream: Stream | undefined;
let arrivals: Arrivals | undefined;
let cpuBefore = process.cpuUsage();
/** Whether what is posted is for these readers. */
let concerned = true;

async function open(port: number, wire: WireName): Promise<Reader> {
  const ready = Promise.withResolvers<void>();
  const reader: Reader = { socket: undefined, at: 0, seen: 0, astray: false, opened: ready.resolve };
  const take = (frames: Buffer) => {
    if (!stream) {
      if (frames.includes('"ready"')) reader.opened();
      return;
    }
    if (!reader.astray && !stream.matches(frames, reader.at)) reader.astray = true;
    reader.at += frames.length;
    arrivals?.note(reader, stream.bytes);
  };
  if (wire === "websocket" || wire === "polling") {
    await openSocketIo(port, wire, take);
    await ready.promise;
    return reader;
  }
  const { path, first } = openings[wire];
  reader.socket = await openSocket(port, path, take);
  if (first !== undefined) {
    reader.socket.write(clientFrame(first));
    await ready.promise;
  }
  return reader;
}

function numbersIn({ bytes }: Stream): number[] {
  return [...framesOf(bytes)].map(({ text }) => numberOf(text));
}

answer({
  async open({ port, wire, count }: { port: number; wire: WireName; count: number }) {
    concerned = wire !== "elsewhere";
    for (let left = count; left > 0; left -= openAtOnce) {
      readers.push(...(await Promise.all(Array.from({ length: Math.min(left, openAtOnce) }, () => open(port, wire)))));
    }
  },
  begin({ timed = false }: { timed?: boolean } = {}) {
    stream = new Stream();
    cpuBefore = process.cpuUsage();
    arrivals = timed ? new Arrivals() : undefined;
    for (const reader of readers) {
      reader.at = 0;
      reader.seen = 0;
    }
  },
  /** Whether all have got the same, and how much that is. */
  level() {
    return { level: readers.every(({ at }) => at === stream?.length), length: stream?.length ?? 0 };
  },
  report({ posted, sentAt }: { posted: number; sentAt?: readonly number[] }): ReadersReport {
    if (!stream) throw new Error("Nothing has begun.");
    const { user, system } = process.cpuUsage(cpuBefore);
    const numbers = numbersIn(stream);
    const distinct = new Set(numbers).size;
    const astray = readers.filter((reader) => reader.astray || reader.at !== stream?.length).length;
    stream = undefined;
    // A reader that got other bytes than the rest counts as having lost everything.
    return {
      deliveries: numbers.length * readers.length,
      readersCpuMs: (user + system) / 1_000,
      lost: concerned ? (posted - distinct) * readers.length + astray * posted : 0,
      repeated: (numbers.length - (concerned ? distinct : 0)) * readers.length,
      ...(arrivals && sentAt && { latencyMs: arrivals.since(sentAt) }),
    };
  },
});
