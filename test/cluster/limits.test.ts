import { expect, test } from "vitest";
import { startCluster } from "../support/cluster.ts";
import { within } from "../support/wait.ts";
import { PlainClient } from "../support/wires.ts";

const timeout = 120_000;
const limit = 32;

/** Opens a socket as a proxy passes on somebody at `address`; undefined where it is refused. */
async function open({ wsUrl }: { wsUrl: string }, address: string): Promise<PlainClient | undefined> {
  const client = new PlainClient(wsUrl, { headers: { "x-forwarded-for": address } });
  return within(10_000, "opening or refusing", client.opened).then(
    () => client,
    () => undefined,
  );
}

/** Tries until a socket is let in, or is refused. */
async function until(ms: number, node: { wsUrl: string }, address: string, letIn: boolean): Promise<PlainClient | undefined> {
  const started = performance.now();
  for (;;) {
    const client = await open(node, address);
    if ((client !== undefined) === letIn) return client;
    client?.cut();
    if (performance.now() - started > ms) throw new Error(`${address} was ${letIn ? "not let in" : "let in"} for ${ms} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("an address has its sockets on all nodes together, and nobody else has fewer for it", { timeout }, async () => {
  const environment = { MAX_SOCKETS_PER_ADDRESS: String(limit), TRUSTED_PROXIES: "127.0.0.1" };
  await using cluster = await startCluster({ size: 2, environment });
  const [here, there] = [cluster.node(0), cluster.node(1)];
  const all = await Promise.all(Array.from({ length: limit }, () => open(here, "192.0.2.1")));
  expect(all.every(Boolean)).toBe(true);
  await until(10_000, there, "192.0.2.1", false);
  const bystander = await open(there, "192.0.2.2");
  expect(bystander).toBeDefined();

  all[0]?.cut();
  const next = await until(10_000, there, "192.0.2.1", true);
  await until(10_000, there, "192.0.2.1", false);

  // What a node held is free again once it is known to be dead.
  await here.process.end("SIGKILL");
  const freed = await until(45_000, there, "192.0.2.1", true);
  for (const client of [bystander, next, freed]) client?.cut();
});
