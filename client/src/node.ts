/** The package's entry on Node: the same client, with the WebSocket of `ws`, because Node 20 has none of its own. */
import { WebSocket } from "ws";
import { createKeenchatClient as create, type KeenchatClient, type KeenchatOptions } from "./client.ts";

export * from "./client.ts";

export function createKeenchatClient(options: KeenchatOptions): KeenchatClient {
  return create({ WebSocket, ...options });
}
