/** Owns a WebSocket client that costs next to nothing: it opens, walks over frames without decoding them, answers pings. */
import { connect, type Socket } from "node:net";

const empty = Buffer.alloc(0);
/** Where every socket reads into: what it brought is taken before the next one reads. */
const readBuffer = Buffer.alloc(256 * 1024);
const pong = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

/** A client's text frame; the mask is zero, which masks nothing. */
export function clientFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const head =
    body.length < 126 ? Buffer.from([0x81, 0x80 | body.length]) : Buffer.from([0x81, 0xfe, body.length >> 8, body.length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

/** The length of the frame at `at`, header included; undefined where not even its header is there. */
function frameLength(bytes: Buffer, at: number): number | undefined {
  const left = bytes.length - at;
  if (left < 2) return undefined;
  const short = (bytes[at + 1] ?? 0) & 0x7f;
  if (short < 126) return 2 + short;
  if (short === 126) return left < 4 ? undefined : 4 + bytes.readUInt16BE(at + 2);
  return left < 10 ? undefined : 10 + Number(bytes.readBigUInt64BE(at + 2));
}

/** The texts of frames that lie back to back, and where each frame ends. */
export function* framesOf(frames: Buffer): Generator<{ text: string; end: number }> {
  for (let at = 0; at < frames.length; ) {
    const end = at + (frameLength(frames, at) ?? frames.length);
    const short = (frames[at + 1] ?? 0) & 0x7f;
    yield { text: frames.toString("utf8", at + (short < 126 ? 2 : short === 126 ? 4 : 10), end), end };
    at = end;
  }
}

/** `onFrames` gets whole text frames, back to back, as they came. */
export function openSocket(port: number, path: string, onFrames: (frames: Buffer, socket: Socket) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true, onread: { buffer: readBuffer, callback: take } });
    let rest: Buffer = empty;
    let open = false;

    function takeHead(): boolean {
      const end = rest.indexOf("\r\n\r\n");
      if (end === -1) return false;
      const status = rest.toString("latin1", 9, 12);
      if (status !== "101") reject(new Error(`The upgrade was answered ${status}.`));
      rest = rest.subarray(end + 4);
      open = true;
      resolve(socket);
      return true;
    }

    function takeFrames(): void {
      let from = 0;
      let at = 0;
      for (let length = frameLength(rest, at); length !== undefined && at + length <= rest.length; length = frameLength(rest, at)) {
        const control = ((rest[at] ?? 0) & 0x0f) >= 8;
        if (control) {
          if (at > from) onFrames(rest.subarray(from, at), socket);
          if (rest[at] === 0x89) socket.write(pong);
          from = at + length;
        }
        at += length;
      }
      if (at > from) onFrames(rest.subarray(from, at), socket);
      rest = at === rest.length ? empty : Buffer.from(rest.subarray(at));
    }

    function take(length: number): boolean {
      const chunk = readBuffer.subarray(0, length);
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (open || takeHead()) takeFrames();
      else rest = Buffer.from(rest);
      return true;
    }

    socket.on("error", reject);
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n",
    );
  });
}
