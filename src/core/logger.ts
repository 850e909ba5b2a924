/** Owns the log of the process: JSON lines, or readable ones on a terminal. Never a token, a password or a message's text. */
import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

export type { Logger };

/** Fields with these names contain secrets or texts of users, in any object. */
const secret = ["authorization", "auth", "token", "token_value", "password", "message_text", "connectionParams"];

export function createLogger(level: string): Logger {
  const options = {
    level,
    base: null,
    redact: { paths: secret.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "[redacted]" },
    formatters: { level: (label: string) => ({ level: label }) },
    // A database error's own fields can hold SQL with values in it.
    serializers: {
      err: (error: unknown) =>
        error instanceof Error
          ? { type: error.name, message: firstLine(error.message), stack: frames(error.stack) }
          : { type: typeof error },
    },
  };
  if (process.stdout.isTTY) return pino(options, pretty({ colorize: true, sync: true }));
  const destination = pino.destination({ dest: 1, sync: true });
  // A line that cannot be written, on a full disk for example, is lost; the process continues.
  destination.on("error", () => {});
  return pino(options, destination);
}

/** MikroORM puts the statement, values and all, in front of the reason. */
function firstLine(message: string): string {
  return message.slice(message.lastIndexOf(" - ") + 1, 300).split("\n", 1)[0] ?? "";
}

function frames(stack: string | undefined): string {
  return (stack ?? "")
    .split("\n")
    .filter((line) => line.startsWith("    at "))
    .join("\n");
}

/** Logs unexpected errors. */
export function onUnexpected(logger: Logger) {
  return (error: unknown, requestId?: string) => logger.error({ err: error, request_id: requestId }, "unexpected error");
}
