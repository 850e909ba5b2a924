/** Owns refusals on a bare socket, for which Node has made no answer: the usual error body, and the end of the socket. */
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { describeError, toErrorBody } from "../../core/errors.ts";

/** Writes an answer by hand, and ends the socket with it. */
export function answerAndEnd(socket: Duplex, status: number, headers: readonly string[] = [], body = ""): void {
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    ...headers,
    "Connection: close",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // A peer that does not hang up after this is not waited for.
  socket.end(`${lines.join("\r\n")}\r\n\r\n${body}`, () => socket.destroy());
}

/** Refuses a request whose connection ends with it: an upgrade, a method that Node does not know. */
export function refuseSocket(socket: Duplex, error: unknown, requestId: string, headers: readonly string[] = []): void {
  const description = describeError(error);
  const { status, retryAfterSeconds } = description;
  const all = [
    ...headers,
    "Content-Type: application/json; charset=utf-8",
    "Referrer-Policy: no-referrer",
    "Cache-Control: no-store",
    `X-Request-Id: ${requestId}`,
    ...(retryAfterSeconds === undefined ? [] : [`Retry-After: ${retryAfterSeconds}`]),
  ];
  answerAndEnd(socket, status, all, JSON.stringify(toErrorBody(description, requestId)));
}
