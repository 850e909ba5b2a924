/** Owns the REST paths, read off the procedures: which request calls which procedure, and where its input stands. */
import { z } from "zod";
import type { Meta } from "../../core/trpc.ts";
import { definitions } from "../calls/procedures.ts";
import type { FieldKind } from "../http/url-fields.ts";

export interface Route {
  readonly procedure: string;
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Segments as written: `{id}` stands for the field `id`. */
  readonly segments: readonly string[];
  /** The fields of the input. Other fields of a request are ignored. */
  readonly fields: ReadonlyMap<string, FieldKind>;
  /** Whether its input stands in a body; otherwise a body is not looked at. */
  readonly readsBody: boolean;
  /** Whether it wants a token whatever the server's rules. */
  readonly protect: boolean;
  readonly rest: NonNullable<Meta["rest"]>;
}

/** What a field of a URL has to be turned into before Zod looks at it. */
function kindOf(schema: z.core.$ZodType): FieldKind {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable) return kindOf(schema.unwrap());
  if (schema instanceof z.ZodNumber) return "number";
  if (schema instanceof z.ZodArray) return "numbers";
  return "text";
}

function fieldsOf(input: unknown): ReadonlyMap<string, FieldKind> {
  if (input instanceof z.ZodPrefault) return fieldsOf(input.unwrap());
  if (!(input instanceof z.ZodObject)) return new Map();
  return new Map(Object.entries(input.shape as Record<string, z.core.$ZodType>).map(([name, schema]) => [name, kindOf(schema)]));
}

export const routes: readonly Route[] = [...definitions].flatMap(([procedure, { meta, inputs }]) => {
  if (!meta?.openapi) return [];
  const { openapi } = meta;
  const method = openapi.method as Route["method"];
  const segments = openapi.path.split("/").slice(1);
  const fields = fieldsOf(inputs[0]);
  return [
    {
      procedure,
      method,
      segments,
      fields,
      readsBody: (method === "POST" || method === "PUT") && [...fields.keys()].some((name) => !segments.includes(`{${name}}`)),
      protect: openapi.protect === true,
      rest: meta.rest ?? {},
    },
  ];
});

function fits(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length && pattern.every((part, index) => part.startsWith("{") || part === segments[index]);
}

const byShape = Map.groupBy(routes, (route) => route.segments.length);

/** The routes of a path, one for each of its methods; none where the path is unknown. */
export function findRoutes(segments: readonly string[]): readonly Route[] {
  return byShape.get(segments.length)?.filter((route) => fits(route.segments, segments)) ?? [];
}
