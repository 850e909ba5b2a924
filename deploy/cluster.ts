/** `npm run cluster`: three nodes on this machine over a local PostgreSQL and Redis, and one address in front of them, to see it work. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { configExitCode } from "../src/config.ts";

const serverFile = fileURLToPath(new URL("../server.js", import.meta.url));
const {
  DATABASE_URL = "postgres://postgres@127.0.0.1:5432/keenchat",
  REDIS_URL = "redis://127.0.0.1:6379",
  PORT = "5000",
  WEBSOCKETS_PORT = "5001",
} = process.env;
const size = 3;
let isReady = false;

interface Node {
  readonly child: ChildProcess;
  readonly ports: readonly [rest: number, sockets: number];
}

/** Starts a node on free ports; resolves when it is ready. */
async function startNode(number: number): Promise<Node> {
  const child = spawn(process.execPath, [serverFile], {
    env: { ...process.env, DATABASE_URL, REDIS_URL, HOST: "127.0.0.1", PORT: "0", WEBSOCKETS_PORT: "0" },
    // When this process ends, its IPC channel closes, and the node ends too.
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const ports = await new Promise<Node["ports"]>((resolve) => {
    // A node that cannot start ends all nodes.
    child.once("exit", (code, signal) => {
      process.stdout.write(`node ${number} has ended with ${code ?? signal}.\n`);
      if (!isReady) process.exit(code ?? 1);
    });
    createInterface(child.stdout as Readable).on("line", (line) => {
      process.stdout.write(`node ${number}: ${line}\n`);
      const found = /is ready at http:\/\/[^\s:]+:(\d+).*ws:\/\/[^\s:]+:(\d+)/.exec(line);
      if (found) resolve([Number(found[1]), Number(found[2])]);
    });
  });
  return { child, ports };
}

/** Passes each connection on to the next node that accepts it. `variable` is named if the port is in use. */
async function balance(variable: string, port: string, targets: readonly number[]): Promise<void> {
  let turn = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const attempt = (left: number): void => {
      turn += 1;
      const node = connect({ port: targets[turn % targets.length] ?? 0, host: "127.0.0.1", allowHalfOpen: true });
      let connected = false;
      node.once("connect", () => {
        connected = true;
        client.pipe(node).pipe(client);
      });
      // No byte was read from the client before the connection was made, so another node can take it.
      node.once("error", () => (connected || left === 0 ? client.destroy() : attempt(left - 1)));
      node.once("close", () => connected && client.destroy());
      client.once("close", () => node.destroy());
    };
    client.on("error", () => client.destroy());
    attempt(targets.length - 1);
  });
  server.listen(Number(port), "127.0.0.1");
  try {
    await once(server, "listening");
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    process.stderr.write(`${variable} ${port} ${code === "EADDRINUSE" ? "is taken by another process" : `cannot be opened: ${message}`}\n`);
    process.exit(configExitCode);
  }
}

const nodes = await Promise.all(Array.from({ length: size }, (_, index) => startNode(index + 1)));
isReady = true;
await balance(
  "PORT",
  PORT,
  nodes.map(({ ports: [rest] }) => rest),
);
await balance(
  "WEBSOCKETS_PORT",
  WEBSOCKETS_PORT,
  nodes.map(({ ports: [, sockets] }) => sockets),
);
process.stdout.write(
  `All ${size} nodes are behind http://127.0.0.1:${PORT} and ws://127.0.0.1:${WEBSOCKETS_PORT}. ` +
    `End one to see the others go on: ${nodes.map(({ child }) => `kill ${child.pid}`).join(", ")}.\n`,
);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, async () => {
    const ended = nodes.map(({ child }) => (child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined));
    for (const { child } of nodes) child.kill(signal);
    await Promise.all(ended);
    process.exit(0);
  });
}
