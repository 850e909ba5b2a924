/** Nodes of one installation as an operator runs them: processes, over PostgreSQL and Redis, each with its own wires in between. */
import { fileURLToPath } from "node:url";
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

export interface Cluster extends AsyncDisposable {
  readonly databaseUrl: string;
  readonly redis: RedisServer | undefined;
  readonly nodes: readonly Node[];
  /** The node at a place; a test that names one that is not there is wrong. */
  node(index: number): Node;
  /** Starts one more, or one in the place of another. */
  start(index?: number): Promise<Node>;
}

const serverFile = fileURLToPath(new URL("../../server.js", import.meta.url));

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

export async function startCluster({
  size = 3,
  withRedis = true,
  environment = {},
}: {
  size?: number;
  withRedis?: boolean;
  environment?: Record<string, string>;
} = {}): Promise<Cluster> {
  const database = await createPostgres();
  const redis = withRedis ? await RedisServer.start() : undefined;
  const nodes: Node[] = [];

  async function startNode(): Promise<Node> {
    const postgres = await TcpProxy.start(Number(new URL(postgresUrl).port || 5432));
    const redisProxy = redis && (await TcpProxy.start(redis.port));
    const process_ = startProcess(
      {
        DATABASE_URL: withPort(database.url, postgres.port),
        ...(redisProxy && { REDIS_URL: `redis://127.0.0.1:${redisProxy.port}` }),
        ...environment,
      },
      { command: [process.execPath, serverFile] },
    );
    const { restUrl, wsUrl } = await process_.ready();
    return { restUrl, wsUrl, process: process_, postgres, redis: redisProxy };
  }

  nodes.push(...(await Promise.all(Array.from({ length: size }, startNode))));
  return {
    databaseUrl: database.url,
    redis,
    nodes,
    node(index) {
      const node = nodes[index];
      if (!node) throw new Error(`There is no node ${index}.`);
      return node;
    },
    async start(index = nodes.length) {
      const node = await startNode();
      nodes[index] = node;
      return node;
    },
    async [Symbol.asyncDispose]() {
      for (const { process: node } of nodes) {
        node.child.kill("SIGCONT");
        await node[Symbol.asyncDispose]();
      }
      await Promise.all(nodes.flatMap((node) => [node.postgres.close(), node.redis?.close()]));
      await redis?.[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}
