/** Holds REST answers of tests against the OpenAPI document, and notes what was seen of it. */
import { appendFileSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { openApiDocument } from "../../src/transports/pages/openapi.ts";

interface Response {
  readonly headers?: Record<string, { $ref?: string; required?: boolean }>;
  readonly content?: Record<string, { readonly schema: object; readonly example: unknown }>;
}

export interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, Response>;
  readonly requestBody?: { readonly content: NonNullable<Response["content"]> };
  readonly security: readonly Record<string, readonly string[]>[];
  readonly parameters: readonly { readonly in: string; readonly name: string; readonly example?: unknown }[];
}

interface Document {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly headers: Record<string, { required?: boolean }>; readonly schemas: Record<string, object> };
}

export const document = JSON.parse(openApiDocument({ anonymousRead: true }, [])) as Document;

/** Every operation: its method, its path as documented, and what is said of it. */
export const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);

/** Ours alone: a client ignores what it does not know, and our tests let nothing out that is not documented. */
function close(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(close);
  if (typeof schema !== "object" || schema === null) return schema;
  const fields = Object.entries(schema).map(([key, value]) => [key, close(value)]);
  return { ...Object.fromEntries(fields), ...("properties" in schema && { additionalProperties: false }) };
}

const ajv = new Ajv2020({ strict: false, allErrors: true, formats: { int64: true } });
ajv.addSchema(close(document) as object, "openapi");
const validators = new Map<string, ValidateFunction>();

/** Headers that mean something of their own: none of them comes undocumented. */
const telling = ["Link", "Location", "Retry-After", "WWW-Authenticate", "X-Keenchat-Cursor"];

export function validator(...pointer: string[]): ValidateFunction {
  const $ref = `openapi#/${pointer.map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"))).join("/")}`;
  let found = validators.get($ref);
  if (!found) {
    found = ajv.compile({ $ref });
    validators.set($ref, found);
  }
  return found;
}

function findOperation(method: string, target: string) {
  const [pathname = ""] = target.split(/[?#]/, 1);
  const segments = pathname.replace(/\/$/, "").split("/");
  return operations.find(({ path, ...operation }) => {
    const pattern = path.split("/");
    const fits = pattern.length === segments.length && pattern.every((part, index) => part.startsWith("{") || part === segments[index]);
    return fits && operation.method === (method === "HEAD" ? "GET" : method);
  });
}

/** Where the workers of a run write what they saw; unset where nobody asks at the end. */
const seenDirectory = process.env["KEENCHAT_TEST_SEEN"];

/** @throws Error where an answer of a documented operation is not as documented. */
export function holdAgainstDocument(method: string, target: string, answer: { status: number; headers: Headers; text: string }): void {
  const found = findOperation(method, target);
  if (!found) return;
  const { path, operation } = found;
  const { status, headers, text } = answer;
  const complain = (what: string) => {
    throw new Error(`${method} ${path} answered ${status} ${what}: ${text.slice(0, 300)}`);
  };
  const documented = operation.responses[String(status)];
  if (!documented) return complain("which is not documented");
  for (const [name, header] of Object.entries(documented.headers ?? {})) {
    const { required } = header.$ref === undefined ? header : (document.components.headers[header.$ref.split("/").at(-1) ?? ""] ?? {});
    if (required && !headers.has(name)) complain(`without ${name}`);
  }
  for (const name of telling) if (headers.has(name) && !documented.headers?.[name]) complain(`with an undocumented ${name}`);
  const type = (headers.get("content-type") ?? "").split(";", 1)[0] ?? "";
  if (method !== "HEAD") checkBody(complain, documented, type, text, ["paths", path, found.method.toLowerCase(), "responses", `${status}`]);
  if (seenDirectory) appendFileSync(join(seenDirectory, `${process.pid}`), `${operation.operationId} ${status}\n`);
}

function checkBody(complain: (what: string) => void, documented: Response, type: string, text: string, pointer: string[]): void {
  if (!documented.content) return text === "" ? undefined : complain("with a body");
  if (!Object.hasOwn(documented.content, type)) return complain(`as ${type}`);
  if (type !== "application/json") return;
  const validate = validator(...pointer, "content", type, "schema");
  if (!validate(JSON.parse(text))) complain(`which does not fit its schema (${ajv.errorsText(validate.errors)})`);
}

/** Documented statuses that no test of a run has seen. */
export function unseen(directory: string): string[] {
  const seen = new Set(readdirSync(directory).flatMap((file) => readFileSync(join(directory, file), "utf8").split("\n")));
  return operations
    .flatMap(({ operation }) => Object.keys(operation.responses).map((status) => `${operation.operationId} ${status}`))
    .filter((line) => !seen.has(line));
}
