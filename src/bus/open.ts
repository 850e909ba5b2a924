/** Owns the choice of the bus: over Redis where it is set, otherwise in memory. */
import { createHash } from "node:crypto";
import type { Config } from "../config.ts";
import type { Bus } from "../core/bus.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { MemoryBuses } from "./memory.ts";
import { openRedisBus } from "./redis.ts";

/** The nodes of one installation have one secret, and nobody else has it: the channel is named after it. */
export async function openBus({ redisUrl }: Config, secret: string, clock: Clock, logger: Logger): Promise<Bus> {
  const onError = (error: unknown) => logger.error({ err: error }, "a message of another node could not be read");
  if (redisUrl === undefined) return new MemoryBuses().join(onError);
  const channel = `keenchat:${createHash("sha256").update(`bus ${secret}`).digest("base64url").slice(0, 22)}`;
  const onState = (carries: boolean, reason?: string) => {
    if (carries) logger.info({ redis: true }, "Redis carries");
    else logger.warn({ redis: false, reason }, "Redis is away: other nodes are followed once a second");
  };
  return openRedisBus({ url: redisUrl, channel, clock, onError, onState });
}
