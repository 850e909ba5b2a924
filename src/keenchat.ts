/** The composition root: everything the server is made of, put together in one place. */

import type { IncomingMessage } from "node:http";
import { fileURLToPath } from "node:url";
import { openBus } from "./bus/open.ts";
import type { Config } from "./config.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { AppError } from "./core/errors.ts";
import { Feeds } from "./core/events/feeds.ts";
import { followOtherNodes } from "./core/events/other-nodes.ts";
import { createEventReader } from "./core/events/reader.ts";
import { type Logger, onUnexpected } from "./core/logger.ts";
import { Argon2Passwords } from "./core/passwords.ts";
import { Peers } from "./core/peers.ts";
import type { Services } from "./core/services.ts";
import { SessionTokens } from "./core/tokens.ts";
import { within } from "./core/within.ts";
import { TooLongError } from "./db/database.ts";
import { defaultRetention, type Retention, startRetention } from "./db/retention.ts";
import { openStore, type Store } from "./db/store.ts";
import { Sweep } from "./db/sweep.ts";
import { announceNewPage } from "./features/event/event.router.ts";
import { ChannelPresence } from "./features/presence/presence.ts";
import { findSession } from "./features/user/user.queries.ts";
import { createTurns } from "./transports/calls/large-answers.ts";
import { Cors, createRequestListener, type Exchange, send, sendJson } from "./transports/http/http.ts";
import { OpenSockets } from "./transports/http/open-sockets.ts";
import { createOriginReader, createTrust, peerAddress } from "./transports/http/origin.ts";
import { type Handlers, Ports } from "./transports/http/server.ts";
import { createServerUrlReader } from "./transports/http/server-url.ts";
import { WaitingRoom } from "./transports/http/waiting-room.ts";
import { asyncApiDocument } from "./transports/pages/asyncapi.ts";
import { openBuild, page } from "./transports/pages/build.ts";
import { adaptDocsPage, createDocs } from "./transports/pages/docs.ts";
import { checkReady } from "./transports/pages/health.ts";
import { createMetrics } from "./transports/pages/metrics.ts";
import { openApiDocument } from "./transports/pages/openapi.ts";
import { adaptWebPage, createWeb } from "./transports/pages/web.ts";
import { createRest } from "./transports/rest/rest.ts";
import { createSocketIo } from "./transports/shim/socket-io.ts";
import { createSite, createSocketSite } from "./transports/site.ts";
import { Addresses } from "./transports/socket/addresses.ts";
import { Connections } from "./transports/socket/connections.ts";
import { createTrpcHttp } from "./transports/trpc/trpc-http.ts";
import { createWebSockets } from "./transports/websocket.ts";

export interface Keenchat {
  /** `http://HOST:PORT`, with the port that was really opened. */
  readonly restUrl: string;
  /** `ws://HOST:WEBSOCKETS_PORT`. */
  readonly wsUrl: string;
  /** Drains: refuses what is new, finishes what is under way, tells sockets to go. */
  close(): Promise<void>;
}

/** What a test puts in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock;
  readonly retention?: Retention;
  /** The directory of the built web app and docs. */
  readonly webDirectory?: string;
}

const drainMs = 10_000;
const builtWebApp = fileURLToPath(new URL("../web/dist/", import.meta.url));

export async function startKeenchat(config: Config, logger: Logger, overrides: Overrides = {}): Promise<Keenchat> {
  const { clock = systemClock, retention = defaultRetention, webDirectory = builtWebApp } = overrides;
  const given: Given = { clock, logger, retention, webDirectory };
  // What was opened last is closed first, at the end or where something cannot be opened.
  await using opened = new AsyncDisposableStack();
  const room = new WaitingRoom(config, given);
  const isTrusted = createTrust(config.trustedProxies);
  const originOf = createOriginReader(isTrusted);
  const sockets = new OpenSockets(clock, originOf);
  const ports = opened.adopt(await Ports.open({ ...config, sockets }, room.handlers), (both) => both.close());
  const store = await room.until(async () => opened.adopt(await openStore(config, given), ({ database }) => database.close()));
  const core = await openCore(config, given, store);
  opened.defer(() => core.close());
  const wires = await openWires(config, { ...given, ports, sockets, isTrusted, originOf }, core);
  opened.defer(() => wires.close());
  ports.serve(wires.handlers);
  const everything = opened.move();
  return { restUrl: ports.restUrl, wsUrl: ports.wsUrl, close: () => everything.disposeAsync() };
}

type Given = Required<Overrides> & { readonly logger: Logger };
type Core = Awaited<ReturnType<typeof openCore>>;

/** What is behind every wire: the log's readers, presence, and the messages between nodes. */
async function openCore(config: Config, { clock, logger, retention }: Given, { database, log, node, writer, secret }: Store) {
  const onError = onUnexpected(logger);
  const { read } = database;
  const feeds = new Feeds(log, clock, onError);
  const bus = await openBus(config, secret, clock, logger);
  const peers = new Peers(bus, clock, node);
  const findCaller = (sessionId: number) => findSession(read, config.rules, sessionId);
  const tokens = new SessionTokens(secret, clock, findCaller, log);
  const addresses = new Addresses(config.limits.socketsPerAddress, peers);
  const connections = new Connections(clock, addresses, tokens);
  log.onNewHistory(() => {
    tokens.forget();
    presence.forget();
    connections.endAll();
  });
  const presence = new ChannelPresence({ clock, feeds, log, bus, peers });
  // The next round, a minute later, makes up for one that finds the database away or too slow.
  const onMissedRound = (error: unknown) =>
    error instanceof AppError && !(error instanceof TooLongError)
      ? logger.debug({ reason: error.message }, "a round was missed")
      : onError(error);
  const stopRetention = startRetention({ read, log, writer, clock, nodes: () => peers.size, onError: onMissedRound }, retention);
  const sweep = new Sweep({ read, writer, clock, onError: onMissedRound });
  const stopFollowing = database.shared ? followOtherNodes(log, writer, bus, clock) : () => {};

  const services: Omit<Services, "inTurn"> = {
    clock,
    rules: config.rules,
    read,
    writes: writer,
    passwords: new Argon2Passwords(),
    tokens,
    events: createEventReader(feeds),
    presence,
    logger,
  };

  return {
    services,
    bus,
    log,
    writer,
    feeds,
    connections,
    async close() {
      stopRetention();
      feeds.stop();
      connections.stop();
      stopFollowing();
      await sweep.stop();
      await writer.drain();
      presence.close();
      peers.close();
      await bus.close();
    },
  };
}

interface Listening {
  readonly ports: Ports;
  readonly sockets: OpenSockets;
  readonly isTrusted: ReturnType<typeof createTrust>;
  readonly originOf: ReturnType<typeof createOriginReader>;
}

/** The handlers of both ports: every wire, the documents and the web app. */
async function openWires(config: Config, given: Given & Listening, core: Core) {
  const { clock, logger, webDirectory, ports, sockets, isTrusted, originOf } = given;
  const { bus, log, writer, feeds, connections } = core;
  const onError = onUnexpected(logger);
  let stopping = false;
  const draining = () => stopping;
  const cors = new Cors(config.corsOrigins);
  const { pathPrefix, publicUrl } = config;
  const urlFor = createServerUrlReader({ publicUrl, isTrustedPeer: (request) => isTrusted(peerAddress(request)) });
  // Below a prefix the path leads there from wherever the document came; what has only the file needs the whole.
  const serverUrls = (request: IncomingMessage) => (publicUrl === undefined ? [urlFor(request)] : [pathPrefix || "/", publicUrl]);
  const admit = (address: string) => sockets.admit(address);
  const services: Services = { ...core.services, inTurn: createTurns(admit, clock) };
  const reading = { headCursor: () => log.head.id, fresh: () => log.fresh(), admit };
  const build = await openBuild({
    directory: webDirectory,
    clock,
    adaptPage(name, html) {
      if (name === page) return adaptWebPage(html, config.rules.signUp);
      return name.startsWith("docs/") ? adaptDocsPage(html, pathPrefix) : html;
    },
    onChange: () => announceNewPage(feeds),
    onError,
  });
  const socketOptions = { services, feeds, connections, clock, cors, limits: config.limits, originOf, draining, admit, onError };
  const socketIo = createSocketIo(socketOptions);
  const webSockets = createWebSockets({ ...socketOptions, socketIo });
  const metrics = createMetrics({
    token: config.metricsToken,
    originOf,
    gauges: {
      keenchat_write_queue_length: { help: "Writes that wait for their transaction.", read: () => writer.waiting },
      keenchat_connections: { help: "Open sockets and event streams.", read: () => connections.size },
      keenchat_feeds: { help: "Readers that follow the log.", read: () => feeds.size },
      keenchat_log_head: { help: "The last position of the log.", read: () => log.head.seq },
    },
  });
  log.subscribe((events) => metrics.countCommit(events.length));

  const site = {
    documents: {
      live: ({ response }: Exchange) => sendJson(response, 200, { status: "ok" }),
      ready: async ({ response }: Exchange) => {
        await checkReady(services.read, () => writer.checkWrites());
        sendJson(response, 200, { status: "ok", redis: config.redisUrl && (bus.carries ? "ok" : "away") });
      },
      metrics: (exchange: Exchange) => metrics.answer(exchange),
      "openapi.json": ({ request, response }: Exchange) => send(response, 200, openApiDocument(config.rules, serverUrls(request))),
      "asyncapi.json": ({ request, response }: Exchange) => send(response, 200, asyncApiDocument(urlFor(request))),
    },
    folders: { docs: createDocs(build) },
    trpc: createTrpcHttp({ services, originOf, connections, ...reading }),
    socketIo: (exchange: Exchange) => socketIo.handle(exchange),
    rest: createRest({ services, originOf, feeds, connections, clock, pathPrefix, ...reading }),
    web: createWeb(build),
  };
  const handlers: Handlers = {
    onRequest: createRequestListener({ cors, handle: createSite(site), onError, draining, onAnswer: metrics.countRequest }),
    onSocketsRequest: createRequestListener({ cors, handle: createSocketSite(site), onError, draining }),
    onUpgrade: webSockets.upgrade,
  };

  async function close(): Promise<void> {
    stopping = true;
    const stopped = ports.stop();
    connections.endAll();
    socketIo.close();
    // Neither a request that takes its time nor a peer that never hangs up holds up the stop for ever.
    await within(clock, drainMs, stopped);
    await ports.close();
    build.close();
  }

  return { handlers, close };
}
