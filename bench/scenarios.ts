/** Owns what is measured, one server at a time: fan-out, idle connections, posts and reads. */
import { Child } from "./child.ts";
import { MeasuredServer } from "./measured-server.ts";
import type { ReadersReport, WireName } from "./readers.ts";

export interface FanOut {
  readonly deliveriesPerCpuSecond: number;
  readonly lost: number;
  readonly repeated: number;
  readonly latencyMs?: ReadersReport["latencyMs"];
}

interface Setup {
  readonly server: MeasuredServer;
  readonly load: Child;
  readonly token: string | undefined;
}

const credentials = { username: "bench", password: "correct horse" };

async function postJson(port: number, path: string, body: object): Promise<{ token_value: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", connection: "close" },
    body: JSON.stringify(body),
  });
  return (await response.json()) as { token_value: string };
}

/** Makes the one who posts, and returns the token. */
export async function signUp(port: number): Promise<string> {
  await postJson(port, "/user", credentials);
  return (await postJson(port, "/auth", credentials)).token_value;
}

/** A server of its own for one measurement, and everything ended after it. */
async function withServer<Result>(
  wire: WireName,
  measure: (setup: Setup) => Promise<Result>,
  nodeOptions: readonly string[] = [],
): Promise<Result> {
  const server = await MeasuredServer.start(wire === "bare" ? "bare" : "keenchat", { nodeOptions });
  const load = new Child("load.ts");
  try {
    const token = wire === "bare" ? undefined : await signUp(server.port);
    return await measure({ server, load, token });
  } finally {
    await load.stop();
    await server.stop();
  }
}

async function withReaders<Result>(measure: (readers: Child) => Promise<Result>): Promise<Result> {
  const readers = new Child("readers.ts");
  try {
    return await measure(readers);
  } finally {
    await readers.stop();
  }
}

const settleMs = 60_000;

/** Waits until every reader has got what the first of them has, and that has stopped growing. */
export async function settle(readers: Child): Promise<void> {
  let before = -1;
  for (const endAt = performance.now() + settleMs; performance.now() < endAt; ) {
    const { level, length } = await readers.ask<{ level: boolean; length: number }>("level");
    if (level && length === before) return;
    before = length;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

export interface FanOutPlan {
  readonly readers: number;
  readonly messages: number;
  readonly perSecond?: number;
  /** Whether it is asked how long a message takes. */
  readonly timed?: boolean;
}

export function measureFanOut(wire: WireName, plan: FanOutPlan): Promise<FanOut> {
  return withServer(wire, ({ server, load, token }) =>
    withReaders(async (readers) => {
      const kind = wire === "bare" ? "bare" : "keenchat";
      await readers.ask("open", { port: server.wsPort, wire, count: plan.readers });
      const post = (messages: number) =>
        load.ask<{ sentAt: readonly number[] }>("broadcast", {
          kind,
          ports: [server.port],
          token,
          messages,
          inFlight: 32,
          perSecond: plan.perSecond,
        });
      // Warm first: the compiler has seen the loop before it is timed.
      await readers.ask("begin");
      await post(Math.ceil(plan.messages / 4));
      await settle(readers);
      await readers.ask("begin", { timed: plan.timed });
      const before = await server.cpuMs();
      const { sentAt } = await post(plan.messages);
      await settle(readers);
      const cpuSeconds = ((await server.cpuMs()) - before) / 1_000;
      const { deliveries, ...report } = await readers.ask<ReadersReport>("report", {
        posted: plan.messages,
        ...(plan.timed && { sentAt }),
      });
      return { deliveriesPerCpuSecond: deliveries / cpuSeconds, ...report };
    }),
  );
}

export interface Idle {
  readonly reachableBytes: number;
  readonly residentBytes: number;
}

/** The young generation grows once, by tens of megabytes, at some number of connections; pinned, it is in both figures. */
const pinnedYoungGeneration = ["--min-semi-space-size=8", "--max-semi-space-size=8"];

/** Bytes a connection: what so many more of them add. */
export function measureIdle(wire: WireName, connections: number): Promise<Idle> {
  const measure = ({ server }: Setup) =>
    withReaders(async (readers) => {
      // The first ones pay for what all of them share.
      await readers.ask("open", { port: server.wsPort, wire, count: 500 });
      const before = await server.collected();
      await readers.ask("open", { port: server.wsPort, wire, count: connections });
      const after = await server.collected();
      return {
        reachableBytes: (after.reachableBytes - before.reachableBytes) / connections,
        residentBytes: (after.residentBytes - before.residentBytes) / connections,
      };
    });
  return withServer(wire, measure, pinnedYoungGeneration);
}

export interface Requests {
  readonly perSecond: number;
  readonly cpuMicroseconds: number;
}

export function measureRequests(wire: "bare" | "plain", what: "post" | "get one" | "get 50", count: number): Promise<Requests> {
  return withServer(wire, async ({ server, load, token }) => {
    const ports = [server.port];
    const kind = wire === "bare" ? "bare" : "keenchat";
    await load.ask("post", { kind, ports, token, messages: 200, inFlight: 32 });
    const run = (messages: number) => {
      if (what === "post") return load.ask<{ seconds: number }>("post", { kind, ports, token, messages, inFlight: 32 });
      const path = what === "get one" ? "/message/1" : "/message?limit=50";
      return load.ask<{ seconds: number }>("get", { kind, ports, messages, inFlight: 32, path });
    };
    await run(Math.ceil(count / 4));
    const before = await server.cpuMs();
    const { seconds } = await run(count);
    return { perSecond: count / seconds, cpuMicroseconds: (((await server.cpuMs()) - before) * 1_000) / count };
  });
}
