/** Owns the references of `/docs` that are read off our documents: AsyncAPI's events and OpenAPI's requests, as Markdown. */
import { asyncApiDocument } from "./asyncapi.ts";
import { definitions } from "./procedures.ts";
import { routes } from "./routes.ts";

interface Schema {
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly description?: string;
}

interface Message {
  readonly name: string;
  readonly summary: string;
  readonly payload: { readonly required: readonly string[]; readonly properties: { readonly data: Schema } };
}

interface AsyncApi {
  readonly channels: Readonly<Record<string, { address: string; title: string; description: string }>>;
  readonly components: { readonly messages: Readonly<Record<string, Message>> };
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line), ""].join("\n");
}

/** A type in a few words: `integer`, `list of integer`, `text or null`. */
function typeOf({ type, const: constant, enum: values, anyOf, items, properties }: Schema): string {
  if (constant !== undefined) return `\`${String(constant)}\``;
  if (values) return values.map((value) => `\`${String(value)}\``).join(", ");
  if (anyOf) return anyOf.map(typeOf).join(" or ");
  if (type === "array") return `list of ${typeOf(items ?? {})}`;
  if (properties)
    return `{ ${Object.entries(properties)
      .map(([name, schema]) => `${name}: ${typeOf(schema)}`)
      .join(", ")} }`;
  return type === "string" ? "text" : (type ?? "anything");
}

function describeData(schema: Schema): string {
  const { properties, required = [], type } = schema;
  if (type === "null") return "No data.\n";
  if (!properties) return `Data: ${typeOf(schema)}. ${schema.description ?? ""}\n`;
  const rows = Object.entries(properties).map(([name, field]) => [
    `\`${name}\``,
    `${typeOf(field)}${required.includes(name) ? "" : ", not always"}`,
    field.description ?? "",
  ]);
  return table(["field", "type", ""], rows);
}

function section(title: string, intro: string, messages: readonly Message[]): string {
  const entries = messages.map(({ name, summary, payload }) => {
    const carriesId = payload.required.includes("id") ? " Carries an id." : "";
    return `### \`${name}\`\n\n${summary}${carriesId}\n\n${describeData(payload.properties.data)}`;
  });
  return [`## ${title}\n`, `${intro}\n`, ...entries].join("\n");
}

/** Every event and command of the AsyncAPI document, and the wires they travel on. */
export function eventsReference(): string {
  const { channels, components } = JSON.parse(asyncApiDocument()) as AsyncApi;
  const ofKind = (kind: string) =>
    Object.entries(components.messages).flatMap(([key, message]) => (key.startsWith(`${kind}.`) ? [message] : []));
  const wires = Object.values(channels).map(({ title, address, description }) => [title, `\`${address}\``, description]);
  return [
    `## Wires\n`,
    table(["wire", "where", ""], wires),
    section("What everybody hears", "Everybody who may see what it is about.", ofKind("event")),
    section("What a socket may say", "Over plain WebSocket and Socket.IO, each with its data.", ofKind("command")),
    section("What only the socket that spoke hears", "Answers to what it said.", ofKind("answer")),
  ].join("\n");
}

/** Every request in one table: what there is to read where no script runs. */
export function requestsReference(): string {
  const rows = routes.map(({ method, segments, procedure, protect }) => [
    `\`${method} /${segments.join("/")}\``,
    definitions.get(procedure)?.meta?.openapi?.summary ?? "",
    protect ? "yes" : "",
    `\`${procedure}\``,
  ]);
  return ["## Requests\n", table(["request", "", "token", "tRPC"], rows), "## Try them\n"].join("\n");
}
