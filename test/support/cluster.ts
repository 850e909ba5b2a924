/** Nodes of one installation as an operator runs them: processes, over PostgreSQL and Redis, each with its own wires in between. */
import { join } from "node:path";
import { root } from "./copy.ts";
import { createPostgres, postgresUrl } from "./database.ts";
import { type ServerProcess, startProcess } from "./process.ts";
import { RedisServer } from "./redis-server.ts";
import { TcpProxy } from "./tcp-proxy.ts";

export interface Node {
  readonly restUrl: string;
  readonly wsUrl: string;
  readonly process: ServerProcess;
  readonly postgres: TcpProxy;
  readonly redis: TcpProxy | undefined;
}

/** What one node has for itself. */
export interface NodeOptions {
  /** Where its sources are; this repository where it is missing. */
  readonly directory?: string;
  readonly environment?: Record<string, string>;
}

export interface ClusterOptions {
  readonly size?: number;
  readonly withRedis?: boolean;
  /** The PostgreSQL on which it gets a database of its own. */
  readonly serverUrl?: string;
  readonly environment?: Record<string, string>;
  readonly each?: (index: number) => NodeOptions;
}

export interface Cluster extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly redis: RedisServer | undefined;
  readonly nodes: readonly Node[];
  /** The node at a place; a test that names one that is not there is wrong. */
  node(index: number): Node;
  /** Starts one more, or one in the place of another. */
  start(index?: number, options?: NodeOptions): Promise<Node>;
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

export async function startCluster({
  size = 3,
  withRedis = true,
  serverUrl = postgresUrl,
  environment = {},
  each = () => ({}),
}: ClusterOptions = {}): Promise<Cluster> {
  // What was started last ends first, also where a later start fails: a node left behind would keep the whole run from ending.
  await using started = new AsyncDisposableStack();
  const database = await createPostgres({ serverUrl });
  started.defer(() => database.drop());
  const redis = withRedis ? started.use(await RedisServer.start()) : undefined;
  const nodes: Node[] = [];
  let everything: AsyncDisposableStack = started;

  async function startNode({ directory = root, environment: own = {} }: NodeOptions): Promise<Node> {
    const postgres = await TcpProxy.start(Number(new URL(serverUrl).port || 5432));
    everything.defer(() => postgres.close());
    const redisProxy = redis && (await TcpProxy.start(redis.port));
    everything.defer(() => redisProxy?.close());
    const process_ = startProcess(
      {
        DATABASE_URL: withPort(database.url, postgres.port),
        ...(redisProxy && { REDIS_URL: `redis://127.0.0.1:${redisProxy.port}` }),
        ...environment,
        ...own,
      },
      { command: [process.execPath, join(directory, "server.js")] },
    );
    everything.defer(async () => {
      process_.child.kill("SIGCONT");
      await process_[Symbol.asyncDispose]();
    });
    const { restUrl, wsUrl } = await process_.ready();
    return { restUrl, wsUrl, process: process_, postgres, redis: redisProxy };
  }

  const starts = await Promise.allSettled(Array.from({ length: size }, (_, index) => startNode(each(index))));
  for (const start of starts) {
    if (start.status === "rejected") throw start.reason;
    nodes.push(start.value);
  }
  everything = started.move();
  return {
    databaseUrl: database.url,
    redis,
    nodes,
    node(index) {
      const node = nodes[index];
      if (!node) throw new Error(`There is no node ${index}.`);
      return node;
    },
    async start(index = nodes.length, options = each(index)) {
      const node = await startNode(options);
      nodes[index] = node;
      return node;
    },
    [Symbol.asyncDispose]: () => everything.disposeAsync(),
  };
}
