/** Owns the OpenAPI document: trpc-to-openapi generates it from the procedures, one pass here makes it say what our dispatcher does. */
import { generateOpenApiDocument } from "trpc-to-openapi";
import { z } from "zod";
import { appRouter } from "../../api.ts";
import { ErrorBody, type ErrorCode, errorCodes } from "../../core/errors.ts";
import { typeName } from "../../core/schema.ts";
import { definitions } from "../calls/procedures.ts";
import { type Route, routes } from "../rest/routes.ts";
import { exampleOf, type Schema, toDialect } from "./json-schema.ts";
import { version } from "./version.ts";

const description = `REST interface of a Keenchat server. \`HEAD\` answers like \`GET\` without the body. Every answer has \`X-Request-Id\`.

Pass a token as \`Authorization: Bearer TOKEN\`. A client that cannot set headers passes it in the URL, as \`?auth=TOKEN\`. What can be read without a token takes one too, and answers what its owner may see.

Answers grow: clients ignore fields and events that they do not know.`;

type Schemas = Readonly<Record<string, Schema>>;

interface Operation extends Record<string, unknown> {
  readonly parameters?: Record<string, unknown>[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}

const json = "application/json";

const headers = {
  "X-Request-Id": { description: "Names this request in the server's log.", required: true, schema: { type: "string" } },
  "X-Keenchat-Cursor": {
    description: "A position taken before the read: follow from here and nothing falls between.",
    required: true,
    schema: { type: "string" },
  },
  Link: { description: "The neighbouring pages, where there are any: rel next, rel prev.", schema: { type: "string" } },
  Location: { description: "The new resource.", required: true, schema: { type: "string" } },
  "Retry-After": { description: "Seconds until a retry makes sense.", required: true, schema: { type: "integer" } },
  "WWW-Authenticate": { description: "How to send a token.", required: true, schema: { type: "string", enum: ["Bearer"] } },
};

function ref(section: string, name: string) {
  return { $ref: `#/components/${section}/${name}` };
}

function named(...names: (keyof typeof headers)[]) {
  return Object.fromEntries(["X-Request-Id" as const, ...names].map((name) => [name, ref("headers", name)]));
}

/** What every operation can refuse, and what this one adds. */
function errorsOf(route: Route): ErrorCode[] {
  const shared: ErrorCode[] = ["BAD_REQUEST", "UNAUTHORIZED", "TOO_MANY_REQUESTS", "SERVICE_UNAVAILABLE"];
  const body: ErrorCode[] = route.readsBody ? ["PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"] : [];
  return [...new Set([...shared, ...body, ...(route.rest.errors ?? [])])];
}

const eventStream = {
  schema: { type: "string", description: "`id`, `event` and `data` lines; begins with `ready` once caught up." },
  example: 'id: 42.k3v9x2\nevent: ready\ndata: {"cursor":"42.k3v9x2"}\n\n',
};

function contentOf(generated: unknown): Schema {
  const { content } = generated as { content?: Record<string, { schema: Schema }> };
  return content?.[json]?.schema ?? {};
}

function success(route: Route, schema: Schema, schemas: Schemas): Record<string, unknown> {
  const status = route.rest.success ?? 200;
  if (status === 204) return { 204: { description: "Done.", headers: named() } };
  const names: (keyof typeof headers)[] = [];
  if (route.method === "GET") names.push("X-Keenchat-Cursor");
  if (route.rest.paged) names.push("Link");
  const content = {
    [json]: { schema, example: exampleOf(schema, schemas) },
    ...(route.procedure === "event.list" && { "text/event-stream": eventStream }),
  };
  const answer = { description: "Done.", headers: named(...names), content };
  if (status !== 201) return { 200: answer };
  const made = { ...answer, description: "Made.", headers: named("Location") };
  return route.rest.repeatable
    ? { 200: { ...answer, description: "This request was made before: the thing as it is now." }, 201: made }
    : { 201: made };
}

const errorHeaders: Partial<Record<ErrorCode, keyof typeof headers>> = {
  UNAUTHORIZED: "WWW-Authenticate",
  TOO_MANY_REQUESTS: "Retry-After",
  SERVICE_UNAVAILABLE: "Retry-After",
};

function describeErrors(route: Route, schemas: Schemas): Record<string, unknown> {
  const schema = ref("schemas", "ApiError");
  // Missing only where a request was refused before its path was looked at.
  const cursor = route.method === "GET" ? { "X-Keenchat-Cursor": { ...headers["X-Keenchat-Cursor"], required: false } } : {};
  return Object.fromEntries(
    errorsOf(route).map((code) => {
      const { status, text } = errorCodes[code];
      const header = errorHeaders[code];
      const example = { ...(exampleOf(schema, schemas) as object), error: text, message: text, code };
      const content = { [json]: { schema, example } };
      return [status, { description: text, headers: { ...named(...(header ? [header] : [])), ...cursor }, content }];
    }),
  );
}

/** As it is written in prose: `idempotency-key` is `Idempotency-Key`. */
function headerName(name: string): string {
  return name.replaceAll(/\b\w/g, (letter) => letter.toUpperCase());
}

/** Where a stream goes on; clients of it have ways of their own to say so. */
const resume = [
  { in: "header", name: "Last-Event-ID", schema: { type: "string" }, description: "Of a stream: wins over `lastEventId` and `cursor`." },
  { in: "query", name: "lastEventId", schema: { type: "string" }, description: "Of a stream: the same, and wins over `cursor`." },
];

/** Headers that stand in for a field of the body, and how the list of channels is written in a URL. */
function parameters(route: Route, generated: Record<string, unknown>[]): Record<string, unknown>[] {
  const written = generated.map((parameter) => {
    const list = route.fields.get(String(parameter["name"])) === "numbers" && { style: "form", explode: false };
    // In other parameters an example would become the default value of forms.
    const example = parameter["in"] === "path" && { example: exampleOf(parameter["schema"] as Schema, {}) };
    return { ...parameter, ...list, ...example };
  });
  const fromHeaders = Object.entries(route.rest.headers ?? {}).map(([name, field]) => ({
    in: "header",
    name: headerName(name),
    schema: { type: "string" },
    description: `The same as \`${field}\` in the body.`,
  }));
  return [...written, ...fromHeaders, ...(route.procedure === "event.list" ? resume : [])];
}

function requestBody({ required, content }: NonNullable<Operation["requestBody"]>, name: string, schemas: Schemas) {
  const schema = content[json]?.schema ?? {};
  return { required, content: { [json]: { schema: ref("schemas", name), example: exampleOf(schema, schemas) } } };
}

/** A token where one is needed, or where it changes what is answered; none where no token is looked at. */
function security(route: Route, anonymousRead: boolean) {
  if (definitions.get(route.procedure)?.meta?.token === "ignored") return [];
  const isNeeded = route.protect || (!anonymousRead && route.method === "GET");
  return isNeeded ? [{ bearer: [] }] : [{}, { bearer: [] }];
}

function correct(route: Route, operation: Operation, anonymousRead: boolean, schemas: Schemas): Operation {
  const { requestBody: body, responses, parameters: generated = [] } = operation;
  const id = typeName(route.procedure, "");
  return {
    ...operation,
    operationId: id.charAt(0).toLowerCase() + id.slice(1),
    security: security(route, anonymousRead),
    parameters: parameters(route, generated),
    ...(body && { requestBody: requestBody(body, inputName(route), schemas) }),
    responses: { ...success(route, contentOf(responses["200"]), schemas), ...describeErrors(route, schemas) },
  };
}

function inputName(route: Route): string {
  return typeName(route.procedure, "Input");
}

/** The schemas of errors, which trpc-to-openapi has its own of. */
function errorSchemas(): Schemas {
  const { $defs = {} } = z.toJSONSchema(z.array(ErrorBody), { reused: "inline" });
  return JSON.parse(JSON.stringify($defs).replaceAll("#/$defs/", "#/components/schemas/")) as Schemas;
}

function build(anonymousRead: boolean): Record<string, unknown> {
  const generated = generateOpenApiDocument(appRouter, { title: "Keenchat", version, description, baseUrl: "/", openApiVersion: "3.1.0" });
  const operations = toDialect(generated.paths) as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const operationOf = (route: Route) => operations[`/${route.segments.join("/")}`]?.[route.method.toLowerCase()] as Operation;
  const inputs = routes.flatMap((route) => {
    const input = operationOf(route).requestBody?.content[json]?.schema;
    return input ? [[inputName(route), input] as const] : [];
  });
  const outputs = Object.entries(generated.components?.schemas ?? {}).filter(([name]) => !name.startsWith("error."));
  const schemas = { ...Object.fromEntries(inputs), ...(toDialect({ ...Object.fromEntries(outputs), ...errorSchemas() }) as Schemas) };
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = `/${route.segments.join("/")}`;
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: correct(route, operationOf(route), anonymousRead, schemas) };
  }
  return {
    info: { ...generated.info, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: { schemas, headers, securitySchemes: { bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
  };
}

const built = new Map<boolean, string>();

/** The document as JSON. `urls` lead to the server, the best first. */
export function openApiDocument({ anonymousRead }: { anonymousRead: boolean }, urls: readonly string[]): string {
  let document = built.get(anonymousRead);
  if (document === undefined) {
    document = JSON.stringify(build(anonymousRead)).slice(1);
    built.set(anonymousRead, document);
  }
  return `{"openapi":"3.1.0","servers":${JSON.stringify(urls.map((url) => ({ url })))},${document}`;
}
