/** Owns the texts of failures for users: what happened, and what to do. */
import { KeenchatError } from "@keenchat/client";

function wait(ms: number | undefined): string {
  const seconds = Math.ceil((ms ?? 1_000) / 1_000);
  if (seconds < 90) return seconds === 1 ? "in a second" : `in ${seconds} seconds`;
  return `in ${Math.ceil(seconds / 60)} minutes`;
}

/** The server's texts about a field, in words for users. */
const fieldWords: Readonly<Record<string, string>> = {
  "Invalid username.": "Use 2 to 64 letters, digits, - or _, and begin with a letter.",
  "Must be 8 to 1024 bytes long.": "Use 8 characters or more.",
  "Must not be blank.": "Write something here first.",
  "Invalid details.": "The name or the password is wrong.",
};

const sayIssue = (message: string): string => fieldWords[message] ?? message;

/** What is wrong with a form: at its fields, by their names, and with all of it. */
export interface Problems {
  readonly fields: Readonly<Record<string, string>>;
  readonly form: string | undefined;
}

export const noProblems: Problems = { fields: {}, form: undefined };

/** `blamed`: the field that a refusal without issues is about. */
export function sayProblems(error: unknown, fields: readonly string[], blamed: string | undefined): Problems {
  const issues = error instanceof KeenchatError ? error.issues : [];
  const found = issues.flatMap(({ path, message }) => (fields.includes(String(path[0])) ? [[String(path[0]), sayIssue(message)]] : []));
  // The first of each field counts.
  if (found.length > 0) return { fields: Object.fromEntries(found.reverse()), form: undefined };
  const text = sayError(error);
  return blamed === undefined ? { fields: {}, form: text } : { fields: { [blamed]: text }, form: undefined };
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
      return sayIssue(error.issues[0]?.message ?? error.message);
    default:
      return sayIssue(error.message);
  }
}

/** The same for a message that is retried automatically. */
export function sayWaiting(error: KeenchatError): string {
  switch (error.code) {
    case "UNREACHABLE":
      return "It will be sent when the server is back.";
    case "TOO_MANY_REQUESTS":
      return `That was too much at once. It will be sent ${wait(error.retryAfterMs)}.`;
    case "SERVICE_UNAVAILABLE":
      return "The server cannot store anything right now. It will be sent when that is possible.";
    default:
      return `${sayError(error)} It will be sent automatically.`;
  }
}
