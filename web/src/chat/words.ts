/** Owns how failures are told to a person: what happened, and what can be done. */
import { KeenchatError } from "@keenchat/client";

function wait(ms: number | undefined): string {
  const seconds = Math.ceil((ms ?? 1_000) / 1_000);
  if (seconds < 90) return seconds === 1 ? "in a second" : `in ${seconds} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** A sentence or two for any failure. */
export function sayError(error: unknown): string {
  if (!(error instanceof KeenchatError)) return "Something went wrong in this page. Reload it and try again.";
  switch (error.code) {
    case "UNREACHABLE":
      return "The server cannot be reached. Check your connection and try again.";
    case "TOO_MANY_REQUESTS":
      return `That was too much at once. Try again ${wait(error.retryAfterMs)}.`;
    case "SERVICE_UNAVAILABLE":
      return "The server cannot store anything right now. Try again in a moment.";
    case "INTERNAL_SERVER_ERROR":
      return `The server made a mistake${error.requestId ? ` (request ${error.requestId})` : ""}. Try again.`;
    case "BAD_REQUEST":
      return error.issues[0]?.message ?? error.message;
    default:
      return error.message;
  }
}

/** The same for a message that is sent again by itself. */
export function sayWaiting(error: KeenchatError): string {
  switch (error.code) {
    case "UNREACHABLE":
      return "It goes out by itself when the server is back.";
    case "TOO_MANY_REQUESTS":
      return `That was too much at once. It goes out by itself ${wait(error.retryAfterMs)}.`;
    case "SERVICE_UNAVAILABLE":
      return "The server cannot store anything right now. It goes out by itself when it can.";
    default:
      return `${sayError(error)} It also goes out by itself.`;
  }
}
