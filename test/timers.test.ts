/** What a server that was closed leaves behind in its process. */
import { expect, test } from "vitest";
import { type Clock, systemClock } from "../src/core/clock.ts";
import { signUp } from "./support/http.ts";
import { startServer } from "./support/server.ts";
import { until } from "./support/wait.ts";
import { openPlain, openSse, openTrpcSse, openTrpcWs } from "./support/wires.ts";

/** The real clock, and the callers of the timers that wait. */
function watchedClock(): Clock & { readonly waiting: Set<string | undefined> } {
  const waiting = new Set<string | undefined>();
  const watch = (start: (done: () => void) => () => void) => {
    const caller = new Error("a timer").stack?.split("\n").slice(3, 6).join("\n");
    const done = () => void waiting.delete(caller);
    const cancel = start(done);
    waiting.add(caller);
    return () => {
      done();
      cancel();
    };
  };
  return {
    waiting,
    now: () => systemClock.now(),
    monotonic: () => systemClock.monotonic(),
    every: (periodMs, callback) => watch(() => systemClock.every(periodMs, callback)),
    after: (delayMs, callback) =>
      watch((done) =>
        systemClock.after(delayMs, () => {
          done();
          callback();
        }),
      ),
  };
}

test("a server that was closed with open connections leaves no timer", async () => {
  const clock = watchedClock();
  await using server = await startServer({}, { clock });
  const { token } = await signUp(server, "ann");
  const readers = [
    await openPlain(server, { token }),
    await openSse(server, { token }),
    openTrpcSse(server),
    openTrpcWs(server, { token }),
  ];
  for (const { inbox } of readers.slice(1)) await inbox.take("ready", ({ event }) => event === "ready");
  expect(clock.waiting.size).toBeGreaterThan(0);
  await server.close();
  // The end of a socket is told in a later turn; the timers themselves would take longer than this.
  await until("the end of all timers", 900, () => clock.waiting.size === 0).catch(() => {});
  expect([...clock.waiting]).toEqual([]);
});
