/** Owns HTTP answers that are streams of events: which requests ask for one, the headers, and the end if the stream cannot begin now. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ErrorDescription } from "../../core/errors.ts";

const eventStream = "text/event-stream";
/** The media ranges that take JSON, the most specific one first. */
const jsonRanges = ["application/json", "application/*", "*/*"];
const qForm = /^q=(.*)$/i;
const defaultRetryMs = 1_000;

/** The weight that a client gives to a media type, and its place in the list. */
interface Wish {
  readonly q: number;
  readonly index: number;
}

function readWishes(accept: string): Map<string, Wish> {
  const wishes = new Map<string, Wish>();
  for (const [index, text] of accept.split(",").entries()) {
    const [range = "", ...parameters] = text.split(";").map((part) => part.trim());
    const q = Number(parameters.flatMap((parameter) => qForm.exec(parameter)?.[1] ?? [])[0] ?? 1);
    const name = range.toLowerCase();
    if (!wishes.has(name)) wishes.set(name, { q: Number.isNaN(q) ? 1 : q, index });
  }
  return wishes;
}

/** Whether `Accept` names event streams with a `q` above that of JSON, or with the same one and first. A wildcard names none. */
export function prefersEventStream(accept: string | undefined): boolean {
  if (!accept?.toLowerCase().includes(eventStream)) return false;
  const wishes = readWishes(accept);
  const stream = wishes.get(eventStream);
  if (!stream || stream.q <= 0) return false;
  const json = jsonRanges.map((range) => wishes.get(range)).find((wish) => wish !== undefined);
  return !json || stream.q > json.q || (stream.q === json.q && stream.index < json.index);
}

/** `no-transform`: a proxy that compresses holds back what it has not filled a block with. */
export const streamCacheControl = "no-store, no-transform";

export function setStreamHeaders(response: ServerResponse): void {
  response.setHeader("Content-Type", `${eventStream}; charset=utf-8`);
  response.setHeader("Cache-Control", streamCacheControl);
  response.setHeader("X-Accel-Buffering", "no");
}

/** Of a target that may be anything: the error can be that it is none. */
const streamPath = /^(?:https?:\/\/[^/?#]*)?\/(?:event|trpc)(?:[/?#]|$)/i;

function asksForStream({ method, url, headers }: IncomingMessage): boolean {
  return method === "GET" && streamPath.test(url ?? "") && prefersEventStream(headers.accept);
}

/**
 * Ends a stream that cannot begin now, with the time after which to ask again. A browser's `EventSource` comes back after that, and
 * takes any other status than 200 for the end. False: the error is none that waiting mends, or no stream was asked for.
 */
export function endStreamForNow(response: ServerResponse, { code, message, retryAfterSeconds }: ErrorDescription): boolean {
  if ((code !== "SERVICE_UNAVAILABLE" && code !== "TOO_MANY_REQUESTS") || !asksForStream(response.req)) return false;
  const retryMs = retryAfterSeconds === undefined ? defaultRetryMs : retryAfterSeconds * 1_000;
  response.statusCode = 200;
  setStreamHeaders(response);
  response.end(`: ${message}\nretry: ${retryMs}\n\n`);
  return true;
}
