/** Owns the types of the wire as text: every procedure and event of the server, with their descriptions, importing nothing of it. */
import { z } from "zod";
import { appRouter, catalogue, errorCodes } from "../../src/api.ts";

type Schema = z.core.JSONSchema.BaseSchema;
type Direction = "input" | "output";

interface ProcedureDefinition {
  readonly type: "query" | "mutation" | "subscription";
  readonly inputs: readonly z.ZodType[];
  readonly output?: z.ZodType;
  readonly meta?: {
    readonly openapi?: { summary?: string; protect?: boolean };
    readonly rest?: { errors?: readonly string[] };
  };
}

/** Shapes that have a name of their own, as they are met. */
class Names {
  readonly declared = new Map<string, string>();

  print(schema: z.ZodType, io: Direction): string {
    if (schema instanceof z.ZodVoid) return "void";
    const { $defs = {}, ...root } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Schema;
    for (const [name, definition] of Object.entries($defs)) this.#declare(name, definition as Schema, io);
    if (typeof root.id !== "string") return printSchema(root, io);
    this.#declare(root.id, root, io);
    return root.id;
  }

  #declare(name: string, schema: Schema, io: Direction): void {
    // What an event travels in is in `KeenchatEvent`, and is not said twice.
    if ((schema.properties?.["event"] as Schema | undefined)?.const !== undefined) return;
    const text = schema.oneOf
      ? `export type ${name} = KeenchatEvent & { id: string };`
      : `export interface ${name} ${printSchema(schema, io)}`;
    const known = this.declared.get(name);
    if (known !== undefined && known !== text) throw new Error(`Two shapes are called ${name}.`);
    this.declared.set(name, text);
  }
}

function comment(text: string | undefined): string {
  return text ? `/** ${text.replaceAll("*/", "* /")} */\n` : "";
}

function printSchema(schema: Schema, io: Direction): string {
  if (schema.$ref) return schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) return choices.map((choice) => printSchema(choice as Schema, io)).join(" | ");
  if (Array.isArray(schema.type)) return schema.type.map((type) => printSchema({ ...schema, type }, io)).join(" | ");
  switch (schema.type) {
    case "integer":
    case "number":
      return "number";
    case "string":
    case "boolean":
    case "null":
      return schema.type;
    case "array": {
      const item = printSchema(schema.items as Schema, io);
      return /^\w+$/.test(item) ? `${item}[]` : `(${item})[]`;
    }
    case "object":
      return printObject(schema, io);
    default:
      throw new Error(`A shape that has no type yet: ${JSON.stringify(schema)}`);
  }
}

function printObject({ properties = {}, required = [] }: Schema, io: Direction): string {
  const fields = Object.entries(properties).map(([name, value]) => {
    const schema = value as Schema;
    const optional = !required.includes(name);
    // An input may be spelled out as undefined; JSON brings none.
    const type = printSchema(schema, io) + (optional && io === "input" ? " | undefined" : "");
    return `${comment(schema.description)}${name}${optional ? "?" : ""}: ${type};\n`;
  });
  return fields.length === 0 ? "Record<never, never>" : `{\n${fields.join("")}}`;
}

function printCall(verb: string, definition: ProcedureDefinition, names: Names): string {
  const { inputs, output, meta } = definition;
  const [schema = z.object({})] = inputs;
  const input = names.print(schema, "input");
  const optional = schema.safeParse({}).success;
  const errors = [...(meta?.openapi?.protect ? ["UNAUTHORIZED"] : []), ...(meta?.rest?.errors ?? [])];
  const throws = errors.length > 0 ? ` @throws {KeenchatError} ${[...new Set(errors)].map((code) => `\`${code}\``).join(", ")}` : "";
  const result = output ? names.print(output, "output") : "unknown";
  return `${comment((meta?.openapi?.summary ?? "") + throws)}${verb}: (input${optional ? "?" : ""}: ${input}, options?: CallOptions) => Promise<${result}>;\n`;
}

/** No schema has the items of subscriptions; a subscription that is missing here yields `unknown` to tRPC's own clients. */
const yields: Record<string, string> = {
  events: "{ id: string; data: KeenchatEvent } | KeenchatEvent",
  "channel.presence": "ChannelUsers",
};

function printProcedure(path: string, { type, inputs: [schema = z.object({})] }: ProcedureDefinition, names: Names): string {
  const [noun = "", verb] = path.split(".");
  const name = verb ?? noun;
  if (type !== "subscription") return `${name}: CalledAs<"${type}", Calls["${noun}"]["${name}"]>;\n`;
  const input = names.print(schema, "input") + (schema.safeParse(undefined).success ? " | undefined" : "");
  return `${name}: Procedure<"subscription", ${input}, AsyncIterable<${yields[path] ?? "unknown"}>>;\n`;
}

/** The part of tRPC's types that its clients use, so that other projects need no tRPC package. */
const trpcTypes = `
interface Procedure<Type, Input, Output> {
_def: {
$types: { input: Input; output: Output; errorShape: ErrorShape };
procedure: true;
type: Type;
meta: unknown;
experimental_caller: boolean;
inputs: any[];
};
meta: unknown;
(options: unknown): Promise<Output>;
}
type CalledAs<Type, Call extends (...input: any[]) => Promise<unknown>> = Procedure<Type, Parameters<Call>[0], Awaited<ReturnType<Call>>>;
interface ErrorShape {
code: any;
message: string;
data: { code: ErrorCode; httpStatus: number; path?: string; request_id: string; issues?: { path: (string | number)[]; message: string }[] };
}
`;

function printRouter(procedures: Record<string, { _def: ProcedureDefinition }>, names: Names): string {
  const nouns = new Map<string, string>();
  for (const [path, { _def: definition }] of Object.entries(procedures)) {
    const noun = path.includes(".") ? path.slice(0, path.indexOf(".")) : "";
    nouns.set(noun, (nouns.get(noun) ?? "") + printProcedure(path, definition, names));
  }
  const record = [...nouns].map(([noun, verbs]) => (noun === "" ? verbs : `${noun}: {\n${verbs}};\n`)).join("");
  return `type Procedures = {\n${record}};
/** The server's router, for tRPC's own clients: \`createTRPCClient<AppRouter>\`. */
export interface AppRouter {
_def: {
_config: {
$types: { ctx: object; meta: object; errorShape: ErrorShape; transformer: false };
transformer: any;
errorFormatter: any;
allowOutsideOfServer: boolean;
isServer: boolean;
isDev: boolean;
pathSeparator: any;
};
router: true;
procedure?: never;
procedures: Procedures;
record: Procedures;
lazy: Record<string, any>;
};
createCaller: any;
}
`;
}

function indent(text: string): string {
  let depth = 0;
  const lines = text.split("\n").map((line) => {
    const trimmed = line.trim();
    if (trimmed.startsWith("}")) depth -= 1;
    const indented = trimmed && "  ".repeat(depth) + trimmed;
    if (trimmed.endsWith("{")) depth += 1;
    return indented;
  });
  return lines.join("\n");
}

/** The text of `wire.d.ts`. */
export function printWireTypes(): string {
  const names = new Names();
  const nouns = new Map<string, string>();
  const procedures = appRouter._def.procedures as unknown as Record<string, { _def: ProcedureDefinition }>;
  for (const [path, { _def: definition }] of Object.entries(procedures)) {
    const [noun = "", verb] = path.split(".");
    if (verb === undefined || definition.type === "subscription") continue;
    nouns.set(noun, (nouns.get(noun) ?? "") + printCall(verb, definition, names));
  }
  const calls = [...nouns].map(([noun, verbs]) => `readonly ${noun}: {\n${verbs}};\n`).join("");
  const events = catalogue.map(
    ({ name, data, description }) =>
      `${comment(description)}| { event: ${JSON.stringify(name)}; data: ${names.print(data, "output")}; id?: string }\n`,
  );
  const router = printRouter(procedures, names);
  const codes = Object.keys(errorCodes).map((code) => JSON.stringify(code));
  return indent(
    [
      'import type { CallOptions } from "./call-options.js";\n',
      ...[...names.declared.values()].map((declaration) => `${declaration}\n`),
      `/** Every query and mutation of the server. */\nexport interface Calls {\n${calls}}\n`,
      `/** All events, distinguished by \`event\`. Events of the log have an \`id\`: a cursor to resume from. */`,
      `export type KeenchatEvent =\n${events.join("")};\n`,
      `/** The error codes of the server. */\nexport type ErrorCode = ${codes.join(" | ")};\n`,
      trpcTypes,
      router,
    ].join("\n"),
  );
}
