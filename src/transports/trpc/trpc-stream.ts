/** Owns tRPC's subscriptions over HTTP, which tRPC's own adapter runs: each holds its connection, and ends with its session. */
import type { ServerResponse } from "node:http";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import { appRouter } from "../../api.ts";
import { onOneLine } from "../../core/events/wires.ts";
import { streamMs } from "../../core/limits.ts";
import { createContext, type Request, type Services } from "../../core/services.ts";
import { streamCacheControl } from "../http/event-stream.ts";
import { single, type Target } from "../http/gate.ts";
import type { Exchange } from "../http/http.ts";
import { Connection, type ConnectionRequest, type Connections } from "../socket/connections.ts";

/** The parameters that tRPC's adapter gets to see. */
const adapterParameters = ["batch", "input", "lastEventId"];

function adapterUrl(path: string, query: Target["query"]): string {
  const kept = adapterParameters.flatMap((name) => {
    const value = single(query, name);
    return value === undefined ? [] : [[name, value] as [string, string]];
  });
  return `/trpc/${encodeURIComponent(path)}?${new URLSearchParams(kept)}`;
}

/** One open subscription. */
class SubscriptionStream extends Connection {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse, asked: ConnectionRequest, connections: Connections) {
    super(connections, asked);
    this.#response = response;
    response.once("close", () => this.leave());
  }

  /** Destroyed, not ended: the adapter stops its generator only where the answer was cut. */
  override end(): void {
    this.#response.destroy();
  }
}

/** @throws AppError TOO_MANY_REQUESTS where its address has too many connections. */
export async function streamSubscription(
  { request, response, target }: Exchange,
  path: string,
  asked: Omit<Request, "socket" | "stream">,
  { services, connections }: { services: Services; connections: Connections },
): Promise<void> {
  const connection = new SubscriptionStream(response, asked, connections);
  connections.open(connection);
  const stream = { renewing: false };
  // To follow the log is to be in no place: a reader of `events` that is gone costs its connection alone.
  if (path !== "events") {
    // A client that is gone without a word takes what it is sent, as far as can be told.
    const cancel = services.clock.after(streamMs, () => {
      stream.renewing = true;
      connection.end();
    });
    response.once("close", cancel);
  }
  const context = createContext(services, { ...asked, stream });
  // The adapter writes whole events, whose JSON may hold what some readers take for the end of a line.
  const write = response.write.bind(response) as (text: string) => boolean;
  response.write = (chunk: Uint8Array) => write(onOneLine(Buffer.from(chunk).toString()));
  await nodeHTTPRequestHandler({
    router: appRouter,
    // A URL is built from the host; what has been checked is all that goes on.
    req: Object.assign(request, {
      url: adapterUrl(path, target.query),
      headers: { ...request.headers, host: "localhost", "content-type": "application/json" },
    }),
    res: response,
    path,
    createContext: async () => context,
    // The adapter's own word for a stream lets it be kept.
    responseMeta: () => ({ headers: { "cache-control": streamCacheControl } }),
  });
}
