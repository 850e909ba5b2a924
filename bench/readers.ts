/** A process of readers on raw sockets. All get the same bytes, so each is held against the one that is ahead; the bytes themselves are read once, at the end. */
import type { Socket } from "node:net";
import { answer } from "./processes.ts";
import { clientFrame, openSocket, textsOf } from "./raw-socket.ts";

export type WireName = "bare" | "plain" | "trpc";

export interface ReadersReport {
  /** Frames that reached readers, over all of them. */
  readonly deliveries: number;
  readonly lost: number;
  readonly repeated: number;
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
  /** It got something else than the others. */
  astray: boolean;
  opened: () => void;
}

const openings: Record<WireName, { path: string; first?: string }> = {
  bare: { path: "/" },
  plain: { path: "/", first: JSON.stringify({ event: "connection" }) },
  trpc: { path: "/trpc", first: JSON.stringify({ id: 1, method: "subscription", params: { path: "events" } }) },
};
const openAtOnce = 100;

let readers: Reader[] = [];
let stream: Stream | undefined;

async function open(port: number, wire: WireName): Promise<Reader> {
  const { path, first } = openings[wire];
  const ready = Promise.withResolvers<void>();
  const reader: Reader = { socket: undefined, at: 0, astray: false, opened: ready.resolve };
  reader.socket = await openSocket(port, path, (frames) => {
    if (!stream) {
      if (frames.includes('"ready"')) reader.opened();
      return;
    }
    if (!reader.astray && !stream.matches(frames, reader.at)) reader.astray = true;
    reader.at += frames.length;
  });
  if (first !== undefined) {
    reader.socket.write(clientFrame(first));
    await ready.promise;
  }
  return reader;
}

/** Numbers of the messages in the stream: each text begins with one. */
function numbersIn({ bytes }: Stream): number[] {
  return [...textsOf(bytes)].map((text) => Number(/"message_text":"(\d+)/.exec(text)?.[1]));
}

answer({
  async open({ port, wire, count }: { port: number; wire: WireName; count: number }) {
    for (let left = count; left > 0; left -= openAtOnce) {
      readers.push(...(await Promise.all(Array.from({ length: Math.min(left, openAtOnce) }, () => open(port, wire)))));
    }
  },
  begin() {
    stream = new Stream();
    for (const reader of readers) reader.at = 0;
  },
  /** How many messages the reader that is behind all others has got. */
  level() {
    const behind = Math.min(...readers.map(({ at }) => at));
    return { level: readers.every(({ at }) => at === stream?.length), behind, length: stream?.length ?? 0 };
  },
  report(posted: number): ReadersReport {
    if (!stream) throw new Error("Nothing has begun.");
    const numbers = numbersIn(stream);
    const distinct = new Set(numbers).size;
    const astray = readers.filter((reader) => reader.astray || reader.at !== stream?.length).length;
    stream = undefined;
    // A reader that got other bytes than the rest counts as having lost everything.
    return {
      deliveries: numbers.length * readers.length,
      lost: (posted - distinct) * readers.length + astray * posted,
      repeated: (numbers.length - distinct) * readers.length,
    };
  },
  close() {
    for (const { socket } of readers) socket?.destroy();
    readers = [];
  },
});
