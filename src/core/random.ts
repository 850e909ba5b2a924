/** Owns randomness that is not a secret key: ids of requests, tags of the log. */
import { randomBytes } from "node:crypto";

/** `bytes` random bytes as base64url text: 6 bytes make 8 characters. */
export function randomTag(bytes: number): string {
  return randomBytes(bytes).toString("base64url");
}

const processTag = randomTag(6);
let requests = 0;

/** A name for one request, unique across processes. */
export function nextRequestId(): string {
  requests += 1;
  return `${processTag}-${requests.toString(36)}`;
}
