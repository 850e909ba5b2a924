/** Owns the AsyncAPI document: every event and command on every real-time wire, read off the catalogue. https://www.asyncapi.com/docs/reference/specification/v3.0.0 */
import { z } from "zod";
import { catalogue } from "../../api.ts";
import { frame } from "../../core/events/event.ts";
import { maxBodyText } from "../../core/limits.ts";
import { typeName } from "../../core/schema.ts";
import { answers, commands } from "../shim/commands.ts";
import { closeCodes } from "../socket/connections.ts";
import { exampleOf, type Schema, toDialect } from "./json-schema.ts";
import { version } from "./version.ts";

const events = catalogue.map(({ frame }) => frame);
const replies = framesOf("Answer", answers);
const sent = framesOf("Command", commands);

function framesOf(kind: string, described: Readonly<Record<string, { data: z.ZodType; description: string }>>): z.ZodObject[] {
  return Object.entries(described).map(([name, { data, description }]) => frame(kind, name, data, description));
}

function nameOf(shape: z.ZodObject): string {
  return z.globalRegistry.get(shape)?.id ?? "";
}

/** A list of values becomes a type of its own in generators, which name it by its title. */
function titleEnums(name: string, schema: Schema): Schema {
  const fields = Object.entries((schema["properties"] ?? {}) as Record<string, Schema>);
  const titled = fields.map(([key, field]) => [key, field["enum"] ? { ...field, title: name + typeName(key, "") } : field]);
  return fields.length === 0 ? schema : { ...schema, properties: Object.fromEntries(titled) };
}

/** Every shape by its name, those within others included. */
function namedSchemas(shapes: readonly z.ZodObject[]): Readonly<Record<string, Schema>> {
  const { definitions } = z.toJSONSchema(z.tuple(shapes as [z.ZodObject, ...z.ZodObject[]]), { target: "draft-7" });
  const text = JSON.stringify(definitions).replaceAll("#/definitions/", "#/components/schemas/");
  const written = toDialect(JSON.parse(text)) as Record<string, Schema>;
  return Object.fromEntries(Object.entries(written).map(([name, schema]) => [name, titleEnums(name, schema)]));
}

const schemas = namedSchemas([...events, ...replies, ...sent]);

/** A message in the plain form; Socket.IO and server-sent events carry the same three parts their own way. */
function message(shape: z.ZodObject) {
  const name = (shape.shape["event"] as z.ZodLiteral<string>).value;
  const $ref = `#/components/schemas/${nameOf(shape)}`;
  return {
    name,
    title: name,
    summary: shape.description,
    contentType: "application/json",
    payload: { $ref },
    examples: [{ payload: exampleOf({ $ref }, schemas) }],
  };
}

const query = [
  "`cursor`: resume after this id; without it nothing is replayed.",
  "`channel_id`: only of these channels, and what concerns none; ids with commas between.",
  "`auth`: a token, the same as `identify`.",
].join(" ");

function channel(address: string, title: string, description: string, shapes: readonly z.ZodObject[], server: string) {
  return {
    address,
    title,
    description,
    servers: [{ $ref: `#/servers/${server}` }],
    messages: Object.fromEntries(shapes.map((shape) => [nameOf(shape), { $ref: `#/components/messages/${nameOf(shape)}` }])),
  };
}

function operation(action: "send" | "receive", channelName: string, shapes: readonly z.ZodObject[], summary: string) {
  return {
    action,
    summary,
    channel: { $ref: `#/channels/${channelName}` },
    messages: shapes.map((shape) => ({ $ref: `#/channels/${channelName}/messages/${nameOf(shape)}` })),
  };
}

function describe() {
  const all = [...events, ...replies, ...sent];
  const codes = Object.entries(closeCodes).map(([name, code]) => `${code} ${name}`);
  return {
    info: {
      title: "Keenchat events",
      version,
      license: { name: "MIT", url: "https://opensource.org/license/mit" },
      description: `Events in real time. Give the last id you saw and you get every later event you may see, once, in order, then \`ready\`, then live. Events grow: clients ignore fields and events that they do not know. Close codes: ${codes.join(", ")}, 1009 frame over ${maxBodyText}.`,
    },
    defaultContentType: "application/json",
    channels: {
      plain: channel("/", "Plain WebSocket", `Text frames \`{"event":…,"data":…,"id"?:…}\`. Query: ${query}`, all, "sockets"),
      socketIo: channel(
        "/socket.io/",
        "Socket.IO",
        `\`emit(event, data, id?)\`, clients 1.x to 4.x. A command that asks for an acknowledgement gets \`{ ok: true }\` or \`{ error, code }\`. The client's own \`auth: { token }\` or \`{ auth }\` identifies, too. Query: ${query}`,
        all,
        "sockets",
      ),
      stream: channel(
        "/event",
        "Server-sent events",
        `\`id\`, \`event\` and \`data\` lines, with \`Accept: text/event-stream\`; resume by \`Last-Event-ID\`. Query: ${query}`,
        events,
        "http",
      ),
      trpc: channel("/trpc", "tRPC subscription `events`", "Each event as `{ event, data }`, tracked by its id.", events, "sockets"),
    },
    operations: {
      plainEvents: operation("send", "plain", [...events, ...replies], "What the server sends."),
      plainCommands: operation("receive", "plain", sent, "What a client may send."),
      socketIoEvents: operation("send", "socketIo", [...events, ...replies], "What the server emits."),
      socketIoCommands: operation("receive", "socketIo", sent, "What a client may emit."),
      streamEvents: operation("send", "stream", events, "What the stream holds."),
      trpcEvents: operation("send", "trpc", events, "What the subscription yields."),
    },
    components: { messages: Object.fromEntries(all.map((shape) => [nameOf(shape), message(shape)])), schemas },
  };
}

let described: string | undefined;

/** The document as JSON. `base` is where the server is, as its reader knows it: an URL without a slash at its end. */
export function asyncApiDocument(base: string): string {
  const { protocol, host, pathname } = new URL(base);
  const server = { host, ...(pathname !== "/" && { pathname }) };
  const isSecure = protocol === "https:";
  const servers = {
    sockets: { ...server, protocol: isSecure ? "wss" : "ws", description: "WEBSOCKETS_PORT takes the same." },
    http: { ...server, protocol: isSecure ? "https" : "http" },
  };
  described ??= JSON.stringify(describe()).slice(1);
  return `{"asyncapi":"3.0.0","servers":${JSON.stringify(servers)},${described}`;
}
