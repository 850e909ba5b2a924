/** Owns the checks before any library sees a request: targets, hosts, tokens and bodies, each checked once. */
import type { IncomingMessage } from "node:http";
import { AppError } from "../../core/errors.ts";
import { maxBodyBytes } from "../../core/limits.ts";
import { readMediaType } from "./media-type.ts";

export interface Target {
  /** Decoded segments: `/channel/1/` is `["channel", "1"]`. */
  readonly segments: readonly string[];
  /** Each parameter's values, in order. A map, so that no name is special. */
  readonly query: ReadonlyMap<string, readonly string[]>;
}

/** How much more of a body that is too large is read and dropped, so that the answer is read and not reset. */
const maxDrainedBytes = 8 * 1024 * 1024;

const hostForm = /^(?:\[[0-9A-Fa-f:.]{2,45}\]|[\w.~-]{1,253})(?::\d{1,5})?$/;
const absoluteForm = /^https?:\/\/([^/?#]*)/i;

function isHost(text: string): boolean {
  return hostForm.test(text) && URL.canParse(`http://${text}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AppError("BAD_REQUEST", "The URL is not valid UTF-8 in percent encoding.");
  }
}

/** @throws AppError BAD_REQUEST where the target is no path. */
export function parseTarget(url: string): Target {
  const [before = "", authority = "localhost"] = absoluteForm.exec(url) ?? [];
  const target = url.slice(before.length) || "/";
  if (!target.startsWith("/") || !isHost(authority)) throw new AppError("BAD_REQUEST", "The request target is not a path.");
  const [beforeHash = ""] = target.split("#", 1);
  const mark = beforeHash.indexOf("?");
  const path = mark === -1 ? beforeHash : beforeHash.slice(0, mark);
  const segments = path.split("/").slice(1).map(decode);
  if (segments.at(-1) === "") segments.pop();
  return { segments, query: parseQuery(mark === -1 ? "" : beforeHash.slice(mark + 1)) };
}

/** How some clients write that a parameter is a list: `[]`, or a number in it. */
const brackets = /\[\d{0,3}\]$/;

function parseQuery(text: string): Map<string, string[]> {
  const query = new Map<string, string[]>();
  if (text === "") return query;
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const [name, value] = equals === -1 ? [pair, ""] : [pair.slice(0, equals), pair.slice(equals + 1)];
    const key = decode(name.replaceAll("+", " ")).replace(brackets, "[]");
    const values = query.get(key);
    const decoded = decode(value.replaceAll("+", " "));
    if (values) values.push(decoded);
    else query.set(key, [decoded]);
  }
  return query;
}

/** The one value of a parameter. @throws AppError BAD_REQUEST where it is repeated, or written as a list. */
export function single(query: Target["query"], name: string): string | undefined {
  const values = query.get(name);
  if (values && values.length > 1) throw new AppError("BAD_REQUEST", `Pass ${name} only once.`);
  if (query.has(`${name}[]`)) throw new AppError("BAD_REQUEST", `Pass ${name} without brackets: it is no list.`);
  return values?.[0];
}

/** The values of a parameter that is a list, in each way that clients write one: `x=1,2`, `x=1&x=2`, `x[]=1&x[]=2`. */
export function list(query: Target["query"], name: string): string[] | undefined {
  const values = [...(query.get(name) ?? []), ...(query.get(`${name}[]`) ?? [])];
  return values.length === 0 ? undefined : values.flatMap((value) => value.split(","));
}

/** @throws AppError BAD_REQUEST where `Host` is missing or is no host. */
export function checkHost(request: IncomingMessage): void {
  const { host } = request.headers;
  if (host === undefined ? request.httpVersion !== "1.0" : !isHost(host))
    throw new AppError("BAD_REQUEST", "The Host header is not valid.");
}

/** What follows `Bearer` in the Authorization header; undefined where the header is missing or of another scheme. */
export function readBearer({ headers }: IncomingMessage): string | undefined {
  return /^Bearer +([^ ]+) *$/i.exec(headers.authorization ?? "")?.[1];
}

/**
 * The token of a request, by `Authorization: Bearer` or by `?auth=`.
 * @throws AppError BAD_REQUEST where both are given and differ; UNAUTHORIZED where the header is of another scheme.
 */
export function readToken(request: IncomingMessage, query: Target["query"]): string | undefined {
  const fromQuery = single(query, "auth");
  if (request.headers.authorization === undefined) return fromQuery;
  const fromHeader = readBearer(request);
  if (fromHeader === undefined) throw new AppError("UNAUTHORIZED", "Send the token as Authorization: Bearer TOKEN.");
  if (fromQuery !== undefined && fromQuery !== fromHeader)
    throw new AppError("BAD_REQUEST", "The auth parameter and the Authorization header differ.");
  return fromHeader;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/** `ignoreBOM` means that a mark is kept. */
const utf8WithoutMark = new TextDecoder("utf-8", { fatal: true });

/**
 * Reads a body whole; undefined where there is none.
 * @throws AppError PAYLOAD_TOO_LARGE where it is larger than `maxBodyBytes`; BAD_REQUEST where the client goes away.
 */
export function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = [];
    let size = 0;
    const tooLarge = () => reject(new AppError("PAYLOAD_TOO_LARGE"));
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBodyBytes) chunks.push(chunk);
      else chunks = [];
      if (size > maxDrainedBytes) tooLarge();
    });
    request.on("end", () => {
      if (size > maxBodyBytes) tooLarge();
      else resolve(size === 0 ? undefined : Buffer.concat(chunks));
    });
    // Also closes after its end; an error that is not used would cost a stack trace.
    request.on("close", () => request.readableEnded || reject(new AppError("BAD_REQUEST", "The request ended early.")));
  });
}

/** US-ASCII is UTF-8 too. */
const readableCharsets = new Set(["utf-8", "utf8", "us-ascii"]);

/**
 * The text of a JSON body, without the byte order mark that some editors begin a file with.
 * @throws AppError UNSUPPORTED_MEDIA_TYPE where the headers say it is something else; BAD_REQUEST where it is not UTF-8.
 */
export function readJsonText(request: IncomingMessage, body: Buffer): string {
  const { type, charsets } = readMediaType(request.headers["content-type"] ?? "");
  if (type !== "application/json") throw new AppError("UNSUPPORTED_MEDIA_TYPE");
  if (!charsets.every((charset) => readableCharsets.has(charset)))
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send JSON in UTF-8 with the header Content-Type: application/json.");
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding !== "identity")
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "Send the body without Content-Encoding.");
  try {
    return utf8WithoutMark.decode(body);
  } catch {
    throw new AppError("BAD_REQUEST", "The body is not valid UTF-8.");
  }
}

/**
 * The text of a header that holds what a person may have written; undefined where there is none.
 * @throws AppError BAD_REQUEST where it is not UTF-8.
 */
export function readHeaderText({ headers }: IncomingMessage, name: string): string | undefined {
  const value = headers[name];
  if (typeof value !== "string") return undefined;
  try {
    // Node gives a header's bytes as characters, one each.
    return utf8.decode(Buffer.from(value, "latin1"));
  } catch {
    throw new AppError("BAD_REQUEST", `The header ${name} is not valid UTF-8.`);
  }
}

/** @throws AppError BAD_REQUEST where the text is no JSON; `what` names it. */
export function parseJson(text: string, what = "body"): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError("BAD_REQUEST", `The ${what} is not valid JSON.`);
  }
}
