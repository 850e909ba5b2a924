/** Owns the one encoder of each wire that is made of bytes. */
import type { Wire } from "./feed.ts";

/** A text frame as a server sends it: final, unmasked. https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(header + length);
  frame[0] = 0x81;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header);
  return frame;
}

const join = (frames: readonly Buffer[]) => Buffer.concat(frames);

/** The plain WebSocket: `{"event":…,"data":…,"id":…}`. */
export const plainWire: Wire<Buffer> = {
  shared: true,
  join,
  encode: (name, payload, id) => textFrame(`{"event":${JSON.stringify(name)},"data":${payload}${id === undefined ? "" : `,"id":"${id}"`}}`),
};

const unicodeLineBreaks = /[\u0085\u2028\u2029]/g;

/** JSON without the characters that some readers, such as Python's, take for the end of a line. */
export function onOneLine(json: string): string {
  return json.replace(unicodeLineBreaks, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Server-sent events. JSON holds no line break, so one `data:` line is enough. */
export const sseWire: Wire<Buffer> = {
  shared: true,
  join,
  encode: (name, payload, id) => Buffer.from(`${id === undefined ? "" : `id: ${id}\n`}event: ${name}\ndata: ${onOneLine(payload)}\n\n`),
};

/** tRPC over WebSocket: the frames of a subscription, tracked where there is an id. Each subscription's own id stands in front. */
function createTrpcWire(rpcId: string, shared: boolean): Wire<Buffer> {
  return {
    shared,
    join,
    encode(name, payload, id) {
      const item = `{"event":${JSON.stringify(name)},"data":${payload}}`;
      const result =
        id === undefined ? `{"type":"data","data":${item}}` : `{"type":"data","id":"${id}","data":{"id":"${id}","data":${item}}}`;
      return textFrame(`{"id":${rpcId},"result":${result}}`);
    },
  };
}

const sharedTrpcWires = new Map<string, Wire<Buffer>>();
/** Each of them may keep a copy of everything in memory. */
const maxSharedTrpcWires = 8;

/** The wire of a subscription. Clients count from 1, so the small ids are the same for many and share their frames. */
export function trpcWire(id: number | string): Wire<Buffer> {
  const rpcId = JSON.stringify(id);
  const known = sharedTrpcWires.get(rpcId);
  if (known) return known;
  const shared = typeof id === "number" && id >= 0 && id < maxSharedTrpcWires;
  const wire = createTrpcWire(rpcId, shared);
  if (shared) sharedTrpcWires.set(rpcId, wire);
  return wire;
}
