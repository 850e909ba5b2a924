/** HTTP as bytes, for what no HTTP client would send. */
import { connect, type Socket } from "node:net";
import { within } from "./wait.ts";

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** A connection whose bytes a test writes itself. */
export class RawConnection {
  readonly #socket: Socket;
  readonly #received: Promise<string>;

  constructor(socket: Socket) {
    this.#socket = socket;
    const chunks: Buffer[] = [];
    socket.on("data", (chunk) => chunks.push(chunk));
    this.#received = new Promise((resolve) => {
      // A server may cut what it has refused; what it said before counts.
      socket.on("error", () => {});
      socket.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
    });
  }

  /** Resolves when the bytes have left this process. */
  write(bytes: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  /** Everything the server sent until it closed the connection. */
  received(ms = 10_000): Promise<string> {
    return within(ms, "the server's close", this.#received);
  }

  /** The one answer of a connection that the server has closed. */
  async answer(): Promise<RawAnswer> {
    return parseAnswer(await this.received());
  }

  hangUp(): void {
    this.#socket.destroy();
  }
}

/** Opens a connection to the host and port of `url`. */
export async function openRaw(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return new RawConnection(socket);
}

/** Sends bytes on a new connection, and gives what came back until the server closed it. */
export async function sendRaw(url: string, bytes: string | Uint8Array): Promise<string> {
  const connection = await openRaw(url);
  await connection.write(bytes);
  return connection.received();
}

/** @throws Error where the text is no whole answer with a length. */
export function parseAnswer(text: string): RawAnswer {
  const [head = "", ...rest] = text.split("\r\n\r\n");
  const [statusLine = "", ...lines] = head.split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(statusLine)?.[1]);
  if (!status) throw new Error(`No HTTP answer: ${text.slice(0, 200)}`);
  const headers = new Headers(
    lines.map((line): [string, string] => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  return { status, headers, text: rest.join("\r\n\r\n") };
}
