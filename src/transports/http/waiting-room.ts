/** Owns the ports while the database is not there yet: the process is alive, and says why it is not ready. */
import type { Duplex } from "node:stream";
import type { Config } from "../../config.ts";
import type { Clock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import { type Logger, onUnexpected } from "../../core/logger.ts";
import { nextRequestId } from "../../core/random.ts";
import { Cors, createRequestListener, type Exchange, sendJson } from "./http.ts";
import { OpenSockets } from "./open-sockets.ts";
import { refuseSocket } from "./refusal.ts";
import { listenOnBoth } from "./server.ts";

const openAgainMs = 1_000;
/** An opening that takes longer is a wait. */
const atOnceMs = 1_000;
/** Longer than it takes to find out that a database is silent. */
const attemptMs = 5_000;

const stillOpening = new AppError("SERVICE_UNAVAILABLE", "The database is being opened.", { retryAfterSeconds: 1 });

/** Nothing is limited by address here: all answers are short. */
const nowhere = { address: "", local: false };

/** `reason` is what everybody is told. Resolves to the way to close. */
async function openWaitingRoom(
  { port, websocketsPort, host, corsOrigins }: Config,
  clock: Clock,
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
  const sockets = new OpenSockets(clock, () => nowhere);
  const servers = await listenOnBoth({ port, websocketsPort, host, sockets, onRequest, onSocketsRequest: onRequest, onUpgrade });
  return async () => {
    sockets.stop();
    const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const server of servers) server.closeAllConnections();
    await Promise.all(closed);
  };
}

/** Opens what may still come, or takes its time; meanwhile the ports say what is waited for. */
export async function openWhenThere<T>(
  config: Config,
  { clock, logger }: { clock: Clock; logger: Logger },
  open: () => Promise<T>,
): Promise<T> {
  let reason: AppError | undefined;
  let room: ReturnType<typeof openWaitingRoom> | undefined;
  const wait = (why: AppError) => {
    if (reason?.message !== why.message) logger.warn({ reason: why.message }, "waiting for the database");
    reason = why;
    room ??= openWaitingRoom(config, clock, () => reason, onUnexpected(logger));
    return room;
  };
  try {
    for (;;) {
      // A port that is taken breaks off no migration: that is said when the attempt is over.
      const stopWaiting = clock.after(room ? attemptMs : atOnceMs, () => wait(stillOpening).catch(() => {}));
      try {
        return await open();
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "SERVICE_UNAVAILABLE") throw error;
        await wait(error);
      } finally {
        stopWaiting();
      }
      await new Promise<void>((resolve) => clock.after(openAgainMs, resolve));
    }
  } finally {
    const close = await room;
    await close?.();
  }
}
