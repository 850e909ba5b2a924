/** A network between a client and a server, which a test can cut, stop and let lose things. */
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from "node:net";
import type { TestServer } from "./server.ts";

export interface Network {
  /** The server's REST URL, by way of this network. */
  readonly url: string;
  /** Breaks every connection there is. */
  cut(): void;
  /** Open connections carry nothing any more, without being closed. New ones work. */
  swallow(): void;
  /** From now on no connection comes about, until `restore`. */
  refuse(): void;
  restore(): void;
  /** Loses the answer to the next request whose head has this text: it arrives, and then the connection breaks. */
  loseAnswerTo(text: string): void;
  close(): void;
}

export async function createNetwork(server: Pick<TestServer, "restUrl">): Promise<Network> {
  const target = new URL(server.restUrl);
  const pairs = new Set<{ inside: Socket; outside: Socket; swallowed: boolean }>();
  let refusing = false;
  let losing: string | undefined;

  const proxy = createServer((outside) => {
    outside.on("error", () => outside.destroy());
    if (refusing) return void outside.resetAndDestroy();
    const inside = connectTcp(Number(target.port), target.hostname);
    const pair = { inside, outside, swallowed: false };
    pairs.add(pair);
    let losesAnswer = false;
    outside.on("data", (data) => {
      if (pair.swallowed) return;
      if (losing !== undefined && data.includes(losing)) {
        losing = undefined;
        losesAnswer = true;
      }
      inside.write(data);
    });
    inside.on("data", (data) => {
      if (losesAnswer) outside.destroy();
      else if (!pair.swallowed) outside.write(data);
    });
    inside.on("error", () => inside.destroy());
    inside.on("close", () => (pair.swallowed ? undefined : outside.end()));
    outside.on("close", () => {
      inside.destroy();
      pairs.delete(pair);
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const cut = () => {
    for (const { inside, outside } of pairs) {
      inside.destroy();
      outside.resetAndDestroy();
    }
  };
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    cut,
    swallow() {
      for (const pair of pairs) pair.swallowed = true;
    },
    refuse() {
      refusing = true;
    },
    restore() {
      refusing = false;
    },
    loseAnswerTo(text) {
      losing = text;
    },
    close() {
      proxy.close();
      cut();
    },
  };
}
