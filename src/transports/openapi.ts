/** Owns the OpenAPI document: trpc-to-openapi generates it from the procedures, one pass here makes it say what our dispatcher does. */
import { generateOpenApiDocument } from "trpc-to-openapi";
import { z } from "zod";
import { appRouter } from "../api.ts";
import { ErrorBody, type ErrorCode, errorCodes } from "../core/errors.ts";
import { type Route, routes } from "./routes.ts";
import { version } from "./version.ts";

const description = `REST interface of a Keenchat server. \`HEAD\` answers like \`GET\` without the body. Every answer has \`X-Request-Id\`. Pass a token as \`Authorization: Bearer TOKEN\` or as \`?auth=TOKEN\`.`;

type Operation = Record<string, unknown> & { responses: Record<string, unknown>; parameters?: Record<string, unknown>[] };

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
  "WWW-Authenticate": { description: "How to send a token.", required: true, schema: { const: "Bearer" } },
};

function ref(section: string, name: string) {
  return { $ref: `#/components/${section}/${name}` };
}

function named(...names: (keyof typeof headers)[]) {
  return Object.fromEntries(["X-Request-Id" as const, ...names].map((name) => [name, ref("headers", name)]));
}

/** What every operation can refuse, and what this one adds. */
function errorsOf(route: Route): ErrorCode[] {
  const shared: ErrorCode[] = ["BAD_REQUEST", "UNAUTHORIZED", "SERVICE_UNAVAILABLE"];
  const body: ErrorCode[] = route.readsBody ? ["PAYLOAD_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE"] : [];
  return [...new Set([...shared, ...body, ...(route.rest.errors ?? [])])];
}

function success(route: Route, generated: unknown): Record<string, unknown> {
  const { content } = generated as { content?: Record<string, unknown> };
  const status = route.rest.success ?? 200;
  if (status === 204) return { 204: { description: "Done.", headers: named() } };
  const names: (keyof typeof headers)[] = [];
  if (route.method === "GET") names.push("X-Keenchat-Cursor");
  if (route.rest.paged) names.push("Link");
  const stream =
    route.procedure === "event.list"
      ? {
          "text/event-stream": {
            schema: { type: "string", description: "`id`, `event` and `data` lines; begins with `ready` once caught up." },
          },
        }
      : {};
  const answer = { description: "Done.", headers: named(...names), content: { ...content, ...stream } };
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

function describeErrors(route: Route): Record<string, unknown> {
  // Missing only where a request was refused before its path was looked at.
  const cursor = route.method === "GET" ? { "X-Keenchat-Cursor": { ...headers["X-Keenchat-Cursor"], required: false } } : {};
  return Object.fromEntries(
    errorsOf(route).map((code) => {
      const { status, text } = errorCodes[code];
      const header = errorHeaders[code];
      const content = { "application/json": { schema: ref("schemas", "Error") } };
      return [status, { description: text, headers: { ...named(...(header ? [header] : [])), ...cursor }, content }];
    }),
  );
}

/** Headers that stand in for a field of the body, and how the list of channels is written in a URL. */
function parameters(route: Route, generated: Record<string, unknown>[]): Record<string, unknown>[] {
  const written = generated.map((parameter) =>
    route.fields.get(String(parameter["name"])) === "numbers" ? { ...parameter, style: "form", explode: false } : parameter,
  );
  const fromHeaders = Object.entries(route.rest.headers ?? {}).map(([name, field]) => ({
    in: "header",
    name,
    schema: { type: "string" },
    description: `The same as \`${field}\` in the body.`,
  }));
  const resume =
    route.procedure === "event.list"
      ? [{ in: "header", name: "last-event-id", schema: { type: "string" }, description: "Of a stream: wins over `cursor`." }]
      : [];
  return [...written, ...fromHeaders, ...resume];
}

function correct(route: Route, operation: Operation, protect: boolean): Operation {
  const credentials = [{ bearer: [] }, { auth: [] }];
  return {
    ...operation,
    operationId: route.procedure,
    security: protect ? credentials : [{}, ...credentials],
    parameters: parameters(route, operation.parameters ?? []),
    responses: { ...success(route, operation.responses["200"]), ...describeErrors(route) },
  };
}

function build(anonymousRead: boolean): string {
  const generated = generateOpenApiDocument(appRouter, { title: "Keenchat", version, description, baseUrl: "/", openApiVersion: "3.1.0" });
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const path = `/${route.segments.join("/")}`;
    const method = route.method.toLowerCase();
    const operation = generated.paths?.[path]?.[method as "get"] as unknown as Operation;
    const signedIn = route.protect || (!anonymousRead && route.method === "GET");
    paths[path] = { ...paths[path], [method]: correct(route, operation, signedIn) };
  }
  const schemas = Object.fromEntries(Object.entries(generated.components?.schemas ?? {}).filter(([name]) => !name.startsWith("error.")));
  const { $schema: _, ...errorSchema } = z.toJSONSchema(ErrorBody);
  return JSON.stringify({
    ...generated,
    info: { ...generated.info, license: { name: "MIT", identifier: "MIT" } },
    paths,
    components: {
      schemas: { ...schemas, Error: errorSchema },
      headers,
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        auth: { type: "apiKey", in: "query", name: "auth", description: "The same token, for clients that cannot set headers." },
      },
    },
  });
}

const built = new Map<boolean, string>();

/** The document as JSON, built at its first use. */
export function openApiDocument(rules: { anonymousRead: boolean }): string {
  let document = built.get(rules.anonymousRead);
  if (document === undefined) {
    document = build(rules.anonymousRead);
    built.set(rules.anonymousRead, document);
  }
  return document;
}
