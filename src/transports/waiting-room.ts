/** Owns the ports while the database is not there yet: the process is alive, and says why it is not ready. */
import type { Duplex } from "node:stream";
import type { Config } from "../config.ts";
import { nextRequestId } from "../core/random.ts";
import { Cors, createRequestListener, type Exchange, sendJson } from "./http.ts";
import { refuseSocket } from "./refusal.ts";
import { listenOnBoth } from "./server.ts";

/** `reason` is what everybody is told. Resolves to the way to close. */
export async function openWaitingRoom(
  { port, websocketsPort, host, corsOrigins }: Config,
  reason: () => unknown,
  onError: (error: unknown) => void,
): Promise<() => Promise<void>> {
  const handle = ({ request, response, target }: Exchange): void => {
    response.setHeader("Connection", "close");
    if (target.segments.join("/") !== "live" || (request.method !== "GET" && request.method !== "HEAD")) throw reason();
    sendJson(response, 200, { status: "ok" });
  };
  const onRequest = createRequestListener({ cors: new Cors(corsOrigins), handle, onError, draining: () => false });
  const onUpgrade = (_request: unknown, socket: Duplex): void => {
    socket.on("error", () => socket.destroy());
    refuseSocket(socket, reason(), nextRequestId());
  };
  const servers = await listenOnBoth({ port, websocketsPort, host, onRequest, onSocketsRequest: onRequest, onUpgrade });
  return async () => {
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const server of servers) server.closeAllConnections();
    await Promise.all(closed);
  };
}
