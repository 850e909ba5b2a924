/** Owns the AsyncAPI document: every event and command on every real-time wire, read off the catalogue. https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
import { z } from "zod";
import { catalogue } from "../api.ts";
import { maxSent } from "../core/sizes.ts";
import { answers, commands } from "./commands.ts";
import { closeCodes } from "./connections.ts";
import { version } from "./version.ts";

interface Described {
  readonly data: z.ZodType;
  readonly description: string;
}

/** Names hold spaces; keys of components may not. */
function key(prefix: string, name: string): string {
  return `${prefix}.${name.replaceAll(" ", "-")}`;
}

/** A named shape comes as a reference to itself; its definition is put in the place. */
function jsonSchema(data: z.ZodType): unknown {
  const { $schema: _, $defs = {}, $ref, ...schema } = z.toJSONSchema(data, { io: "output" });
  return $ref === undefined ? schema : $defs[$ref.slice("#/$defs/".length)];
}

const carriesId = new Set(["ready", "resync"]);

/** A message in the plain form; Socket.IO and server-sent events carry the same three parts their own way. */
function message(name: string, { data, description }: Described, id: "always" | "never") {
  return {
    name,
    title: name,
    summary: description,
    contentType: "application/json",
    payload: {
      type: "object",
      required: ["event", "data", ...(id === "always" ? ["id"] : [])],
      properties: {
        event: { const: name },
        data: jsonSchema(data),
        ...(id === "always" && { id: { type: "string", pattern: "^[A-Za-z0-9._-]{1,64}$", description: "The cursor to resume from." } }),
      },
    },
  };
}

const events = Object.fromEntries(
  catalogue.map((event) => [
    key("event", event.name),
    message(event.name, event, event.logged || carriesId.has(event.name) ? "always" : "never"),
  ]),
);
const replies = Object.fromEntries(Object.entries(answers).map(([name, answer]) => [key("answer", name), message(name, answer, "never")]));
const sent = Object.fromEntries(Object.entries(commands).map(([name, command]) => [key("command", name), message(name, command, "never")]));

const parameters = [
  "`cursor`: resume after this id; without it nothing is replayed.",
  "`channel_id`: only of these channels, and what concerns none; ids with commas between.",
  "`auth`: a token, the same as `identify`.",
].join(" ");

function channel(address: string, title: string, description: string, messages: Record<string, unknown>, server: string) {
  return {
    address,
    title,
    description,
    servers: [{ $ref: `#/servers/${server}` }],
    messages: Object.fromEntries(Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }])),
  };
}

function operation(action: "send" | "receive", channelName: string, messages: Record<string, unknown>, summary: string) {
  return {
    action,
    summary,
    channel: { $ref: `#/channels/${channelName}` },
    messages: Object.keys(messages).map((name) => ({ $ref: `#/channels/${channelName}/messages/${name}` })),
  };
}

/** The document as JSON. */
export function asyncApiDocument(): string {
  const shimMessages = { ...events, ...replies, ...sent };
  const codes = Object.entries(closeCodes).map(([name, code]) => `${code} ${name}`);
  return JSON.stringify({
    asyncapi: "3.0.0",
    info: {
      title: "Keenchat events",
      version,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
      description: `Events in real time. Give the last id you saw and you get every later event you may see, once, in order, then \`ready\`, then live. Close codes: ${codes.join(", ")}, 1009 frame over ${maxSent}.`,
    },
    defaultContentType: "application/json",
    servers: {
      sockets: { host: "localhost:5001", protocol: "ws", description: "WEBSOCKETS_PORT; upgrades are served on PORT too." },
      http: { host: "localhost:5000", protocol: "http", description: "PORT." },
    },
    channels: {
      plain: channel("/", "Plain WebSocket", `Text frames \`{"event":…,"data":…,"id"?:…}\`. Query: ${parameters}`, shimMessages, "sockets"),
      "socket.io": channel(
        "/socket.io/",
        "Socket.IO",
        `\`emit(event, data, id?)\`, clients 1.x to 4.x. A command that asks for an acknowledgement gets \`{ ok: true }\` or \`{ error, code }\`. The client's own \`auth: { token }\` or \`{ auth }\` identifies, too. Query: ${parameters}`,
        shimMessages,
        "sockets",
      ),
      stream: channel(
        "/event",
        "Server-sent events",
        `\`id\`, \`event\` and \`data\` lines, with \`Accept: text/event-stream\`; resume by \`Last-Event-ID\`. Query: ${parameters}`,
        events,
        "http",
      ),
      trpc: channel("/trpc", "tRPC subscription `events`", "Each event as `{ event, data }`, tracked by its id.", events, "sockets"),
    },
    operations: {
      hearPlain: operation("send", "plain", { ...events, ...replies }, "What the server sends."),
      commandPlain: operation("receive", "plain", sent, "What a client may send."),
      hearSocketIo: operation("send", "socket.io", { ...events, ...replies }, "What the server emits."),
      commandSocketIo: operation("receive", "socket.io", sent, "What a client may emit."),
      hearStream: operation("send", "stream", events, "What the stream holds."),
      hearTrpc: operation("send", "trpc", events, "What the subscription yields."),
    },
    components: { messages: shimMessages },
  });
}
