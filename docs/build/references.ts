/** Owns the references of `/docs` that are read off the code: AsyncAPI's events and the requests of REST, as Markdown. */

import { definitions } from "../../src/transports/calls/procedures.ts";
import { asyncApiDocument } from "../../src/transports/pages/asyncapi.ts";
import { routes } from "../../src/transports/rest/routes.ts";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
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
  readonly payload: Schema;
}

interface AsyncApi {
  readonly channels: Readonly<Record<string, { address: string; title: string; description: string }>>;
  readonly components: { readonly messages: Readonly<Record<string, Message>>; readonly schemas: Readonly<Record<string, Schema>> };
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(headings), line(headings.map(() => "---")), ...rows.map(line), ""].join("\n");
}

/** A type in a few words: `integer`, `list of integer`, `text or null`. */
function typeOf(schema: Schema, resolve: (schema: Schema) => Schema): string {
  const { type, enum: values, anyOf, items, properties } = resolve(schema);
  if (values) return values.map((value) => `\`${String(value)}\``).join(", ");
  if (anyOf) return anyOf.map((each) => typeOf(each, resolve)).join(" or ");
  if (type === "array") return `list of ${typeOf(items ?? {}, resolve)}`;
  if (properties) {
    const fields = Object.entries(properties).map(([name, field]) => `${name}: ${typeOf(field, resolve)}`);
    return `{ ${fields.join(", ")} }`;
  }
  const names = [type ?? "anything"].flat();
  return names.map((name) => (name === "string" ? "text" : name)).join(" or ");
}

function describeData(schema: Schema, resolve: (schema: Schema) => Schema): string {
  const { properties, required = [], type, description = "" } = resolve(schema);
  if (type === "null") return "No data.\n";
  if (!properties) return `Data: ${typeOf(schema, resolve)}. ${description}\n`;
  const rows = Object.entries(properties).map(([name, field]) => [
    `\`${name}\``,
    `${typeOf(field, resolve)}${required.includes(name) ? "" : ", not always"}`,
    resolve(field).description ?? "",
  ]);
  return table(["field", "type", ""], rows);
}

/** Every event and command of the AsyncAPI document, and the wires they travel on. */
export function eventsReference(): string {
  const { channels, components } = JSON.parse(asyncApiDocument("http://localhost")) as AsyncApi;
  const resolve = (schema: Schema): Schema => components.schemas[schema.$ref?.split("/").at(-1) ?? ""] ?? schema;
  const entry = ({ name, summary, payload }: Message): string => {
    const { properties = {}, required = [] } = resolve(payload);
    const carriesId = required.includes("id") ? " Carries an id." : "";
    return `### \`${name}\`\n\n${summary}${carriesId}\n\n${describeData(properties["data"] ?? {}, resolve)}`;
  };
  const section = (title: string, intro: string, kind: string): string => {
    const ofKind = Object.entries(components.messages).filter(([name]) => name.endsWith(kind));
    return [`## ${title}\n`, `${intro}\n`, ...ofKind.map(([, message]) => entry(message))].join("\n");
  };
  const wires = Object.values(channels).map(({ title, address, description }) => [title, `\`${address}\``, description]);
  return [
    `## Wires\n`,
    table(["wire", "where", ""], wires),
    section("What everybody gets", "Everybody who may see what it is about.", "Event"),
    section("What a socket may send", "Over plain WebSocket and Socket.IO, each with its data.", "Command"),
    section("What only the socket that sent it gets", "Answers to what it sent.", "Answer"),
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
