/** `npm run cluster`: three nodes on this machine over a local PostgreSQL and Redis, and one address in front of them, to see it work. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import process from "node:process";
import { fileURLToPath } from "node:url";

const serverFile = fileURLToPath(new URL("../server.js", import.meta.url));
const {
  DATABASE_URL = "postgres://postgres@127.0.0.1:5432/keenchat",
  REDIS_URL = "redis://127.0.0.1:6379",
  PORT = "5000",
  WEBSOCKETS_PORT = "5001",
} = process.env;
const size = 3;

/** Starts a node on free ports; resolves to them when it is ready. */
async function startNode(number: number) {
  const child = spawn(process.execPath, [serverFile], {
    env: { ...process.env, DATABASE_URL, REDIS_URL, HOST: "127.0.0.1", PORT: "0", WEBSOCKETS_PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ports = new Promise<[number, number]>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`Node ${number} ended with ${code}.`)));
    child.stdout.on("data", (chunk: Buffer) => {
      process.stdout.write(chunk.toString().replaceAll(/^(?=.)/gm, `node ${number}: `));
      const found = /is ready at http:\/\/[^\s:]+:(\d+).*ws:\/\/[^\s:]+:(\d+)/.exec(chunk.toString());
      if (found) resolve([Number(found[1]), Number(found[2])]);
    });
  });
  return { child, ports: await ports };
}

/** Passes each connection on to the next node that takes it. */
function balance(port: number, targets: readonly number[]): void {
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const attempt = (left: number): void => {
      turn += 1;
      const node = connect(targets[turn % targets.length] ?? 0, "127.0.0.1");
      node.once("connect", () => client.pipe(node).pipe(client));
      node.once("error", () =>
        (node.connecting || node.bytesRead === 0) && left > 0 && client.bytesRead === 0 ? attempt(left - 1) : client.destroy(),
      );
      client.once("close", () => node.destroy());
    };
    client.on("error", () => client.destroy());
    attempt(targets.length);
  });
  server.listen(port, "127.0.0.1");
}

const nodes = await Promise.all(Array.from({ length: size }, (_, index) => startNode(index + 1)));
balance(
  Number(PORT),
  nodes.map(({ ports }) => ports[0]),
);
balance(
  Number(WEBSOCKETS_PORT),
  nodes.map(({ ports }) => ports[1]),
);
process.stdout.write(
  `All ${size} nodes are behind http://127.0.0.1:${PORT} and ws://127.0.0.1:${WEBSOCKETS_PORT}. End one to see the others go on.\n`,
);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    const ended = nodes.map(({ child }) => (child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined));
    for (const { child } of nodes) child.kill(signal);
    await Promise.all(ended);
    process.exit(0);
  });
}
