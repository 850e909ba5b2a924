/** Owns the answers while the database is not there yet: the process is alive, and says why it is not ready. */
import type { Duplex } from "node:stream";
import type { Config } from "../../config.ts";
import type { Clock } from "../../core/clock.ts";
import { AppError } from "../../core/errors.ts";
import { type Logger, onUnexpected } from "../../core/logger.ts";
import { nextRequestId } from "../../core/random.ts";
import { Cors, createRequestListener, type Exchange, sendJson } from "./http.ts";
import { refuseSocket } from "./refusal.ts";
import type { Handlers } from "./server.ts";
import { isUnderWay } from "./turns.ts";

const openAgainMs = 1_000;
/** An opening that takes longer is a wait. */
const atOnceMs = 1_000;
/** Longer than it takes to find out that a database is silent. */
const attemptMs = 5_000;

const stillOpening = new AppError("SERVICE_UNAVAILABLE", "The database is being opened.", { retryAfterSeconds: 1 });

/** Answers on both ports with `reason`, but for `/live`. */
function createHandlers({ corsOrigins }: Config, reason: () => unknown, onError: (error: unknown) => void): Handlers {
  const handle = ({ request, response, target }: Exchange): void => {
    if (target.segments.join("/") !== "live" || (request.method !== "GET" && request.method !== "HEAD")) throw reason();
    sendJson(response, 200, { status: "ok" });
  };
  const onRequest = createRequestListener({ cors: new Cors(corsOrigins), handle, onError, draining: () => false });
  const onUpgrade = (_request: unknown, socket: Duplex): void => {
    socket.on("error", () => socket.destroy());
    if (isUnderWay(socket)) socket.destroy();
    else refuseSocket(socket, reason(), nextRequestId());
  };
  return { onRequest, onSocketsRequest: onRequest, onUpgrade };
}

/** The state of a start: what is waited for, and the handlers that say it. */
export class WaitingRoom {
  readonly handlers: Handlers;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #reason = stillOpening;
  #isSaid = false;

  constructor(config: Config, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#clock = clock;
    this.#logger = logger;
    this.handlers = createHandlers(config, () => this.#reason, onUnexpected(logger));
  }

  /** Opens what may still come, or takes its time. */
  async until<T>(open: () => Promise<T>): Promise<T> {
    for (;;) {
      const stopWaiting = this.#clock.after(this.#isSaid ? attemptMs : atOnceMs, () => this.#say(stillOpening));
      try {
        return await open();
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "SERVICE_UNAVAILABLE") throw error;
        this.#say(error);
      } finally {
        stopWaiting();
      }
      await new Promise<void>((resolve) => this.#clock.after(openAgainMs, resolve));
    }
  }

  #say(reason: AppError): void {
    if (!this.#isSaid || this.#reason.message !== reason.message) this.#logger.warn({ reason: reason.message }, "waiting for the database");
    this.#isSaid = true;
    this.#reason = reason;
  }
}
