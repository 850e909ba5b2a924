/** The process: configuration, start, signals. */
import process from "node:process";
import { ConfigError, configExitCode, readConfig } from "./config.ts";
import { createLogger } from "./core/logger.ts";

const stopWithinMs = 15_000;

function fail(message: string, exitCode: number): never {
  process.stderr.write(`${message}\n`);
  process.exit(exitCode);
}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const logger = createLogger(config.logLevel);
  // Imported late: the database driver must not be loaded by a Node that is too old for it.
  const { startKeenchat } = await import("./keenchat.ts");
  // There is nothing to drain before the start is over.
  let stop = (): void => process.exit(0);
  for (const signal of ["SIGTERM", "SIGINT"]) {
    const before = process.listeners(signal as NodeJS.Signals);
    process.on(signal, () => stop());
    // After, not before: without a listener for a moment, a signal that has come is lost.
    for (const listener of before) process.off(signal, listener);
  }
  process.on("unhandledRejection", (error) => logger.error({ err: error }, "a promise was left alone"));
  process.on("uncaughtException", (error) => logger.error({ err: error }, "an error was left alone"));
  const keenchat = await startKeenchat(config, logger);

  stop = () => {
    stop = () => {};
    setTimeout(() => process.exit(1), stopWithinMs - 1_000).unref();
    keenchat.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.fatal({ err: error }, "the stop failed");
        process.exit(1);
      },
    );
  };
  // The launcher (server.js under an old Node) was killed: so is this.
  process.on("disconnect", () => process.exit(1));

  process.stdout.on("error", () => {});
  // Written last: a reader of this line may stop the process at once.
  const ready = `Keenchat is ready at ${keenchat.restUrl} (REST, tRPC) and ${keenchat.wsUrl} (real time)`;
  process.stdout.write(process.stdout.isTTY ? `${ready}\n` : `${JSON.stringify({ level: "info", time: Date.now(), msg: ready })}\n`);
}

main().catch((error: unknown) => {
  if (error instanceof ConfigError) fail(error.message, configExitCode);
  fail(`Keenchat could not start: ${error instanceof Error ? error.stack : String(error)}`, 1);
});
