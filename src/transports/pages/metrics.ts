/** Owns `/metrics`: the measurements of this process as Prometheus text, and the right to read them. */
import { createHash, timingSafeEqual } from "node:crypto";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { Origin } from "../../core/caller.ts";
import { AppError } from "../../core/errors.ts";
import { readBearer } from "../http/gate.ts";
import { type Exchange, send } from "../http/http.ts";

export interface MetricsOptions {
  /** Asked for as Bearer token; without one only this machine is answered. */
  readonly token: string | undefined;
  readonly originOf: (request: Exchange["request"]) => Origin;
  /** What is read at the moment of the scrape, by the name of its gauge. */
  readonly gauges: Readonly<Record<string, { help: string; read: () => number }>>;
}

/** Memory, CPU, garbage collection and the lag of the event loop are the process's, however many servers it runs. */
let processRegistry: Registry | undefined;

function collectProcess(): Registry {
  if (!processRegistry) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}

function isSame(text: string, expected: string): boolean {
  const [a, b] = [text, expected].map((value) => createHash("sha256").update(value).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}

export function createMetrics({ token, originOf, gauges }: MetricsOptions) {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Histogram({
    name: "keenchat_http_request_duration_seconds",
    help: "Time from a request's headers to the last byte of its answer; event streams are not in it.",
    labelNames: ["operation", "status"] as const,
    buckets: [0.001, 0.005, 0.025, 0.1, 0.25, 1, 5],
    registers,
  });
  const commits = new Counter({ name: "keenchat_commits_total", help: "Transactions that added events to the log.", registers });
  const batch = new Histogram({
    name: "keenchat_commit_events",
    help: "Events of one such transaction.",
    buckets: [1, 2, 5, 10, 50, 200, 1_000],
    registers,
  });
  for (const [name, { help, read }] of Object.entries(gauges)) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  }
  const all = Registry.merge([collectProcess(), registry]);

  function admit(request: Exchange["request"]): void {
    if (token === undefined) {
      if (!originOf(request).local) throw new AppError("FORBIDDEN", "Without METRICS_TOKEN only this machine may read the metrics.");
    } else if (!isSame(readBearer(request) ?? "", token))
      throw new AppError("UNAUTHORIZED", "Send METRICS_TOKEN as Authorization: Bearer.");
  }

  return {
    countRequest: (operation: string, status: number, seconds: number) => requests.observe({ operation, status }, seconds),
    countCommit(events: number): void {
      commits.inc();
      batch.observe(events);
    },
    async answer({ request, response }: Exchange): Promise<void> {
      admit(request);
      send(response, 200, await all.metrics(), all.contentType);
    },
  };
}
