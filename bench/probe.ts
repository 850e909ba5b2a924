/** Loaded before a server under measurement (`node --expose-gc --import probe.ts …`): tells the bench what the process uses. */
import process from "node:process";
import { answer } from "./child.ts";
import type { Usage } from "./measured-server.ts";

answer({
  usage(): Usage {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1_000, reachableBytes: 0, residentBytes: 0 };
  },
  collected(): Usage {
    for (let round = 0; round < 4; round += 1) globalThis.gc?.();
    const { heapUsed, external, rss } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1_000, reachableBytes: heapUsed + external, residentBytes: rss };
  },
});
