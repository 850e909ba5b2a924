/**
 * Loaded before a node starts (`--import`): its wall clock is off by `KEENCHAT_TEST_CLOCK_AHEAD_MS`, and jumps ten years ahead at
 * each SIGUSR2. Monotonic time and timers stay as they are, as on a machine whose clock somebody sets.
 */
import process from "node:process";

const RealDate = Date;
const jumpMs = 10 * 365 * 24 * 3_600_000;
let aheadMs = Number(process.env["KEENCHAT_TEST_CLOCK_AHEAD_MS"]);
process.on("SIGUSR2", () => {
  aheadMs += jumpMs;
});

const now = () => RealDate.now() + aheadMs;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  apply: (target) => new target(now()).toString(),
  get: (target, property) => (property === "now" ? now : Reflect.get(target, property)),
});
