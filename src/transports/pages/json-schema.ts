/** Owns how a JSON schema is written in our documents: open, and in the words that generators of clients understand. */

export type Schema = Readonly<Record<string, unknown>>;

/** What is a value, and no schema, however it looks. */
const values: ReadonlySet<string> = new Set(["default", "enum", "example", "examples", "required"]);

function isObject(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** `T or null` as one type with two names where T is a plain type: fewer generators understand the union. */
function foldNull(schema: Schema): Schema {
  const { anyOf, ...others } = schema;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return schema;
  const [first, second] = anyOf as [Schema, Schema];
  if (second["type"] !== "null" || typeof first["type"] !== "string" || first["type"] === "object" || first["enum"]) return schema;
  return { ...first, ...others, type: [first["type"], "null"] };
}

/**
 * The same schema, and all within it, as our documents write it. A field that is not known yet is no error. One value is an `enum` of
 * one: generators that know OpenAPI 3.0 have no `const`. An integer that may need more than 32 bits says so.
 */
export function toDialect(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toDialect);
  if (!isObject(schema)) return schema;
  const { const: only, ...others } = schema;
  const entries = Object.entries(others)
    .filter(([key, value]) => key !== "additionalProperties" || value !== false)
    .map(([key, value]) => [key, values.has(key) ? value : toDialect(value)]);
  const isLong = schema["type"] === "integer" && schema["maximum"] === Number.MAX_SAFE_INTEGER;
  return foldNull({
    ...Object.fromEntries(entries),
    ...("const" in schema && { enum: [only] }),
    ...(isLong && { format: "int64" }),
  });
}

const samples: Readonly<Record<string, unknown>> = { string: "text", boolean: true, integer: 1, number: 1, null: null, object: {} };

/**
 * A value that fits a schema: the example that it names, or one made of the examples of its fields. What need not be there is left out.
 * `schemas` are those that a `$ref` leads to.
 */
export function exampleOf(schema: Schema, schemas: Readonly<Record<string, Schema>>): unknown {
  const {
    $ref,
    examples,
    enum: choices,
    oneOf,
    anyOf,
    type,
    items,
    properties,
    required,
    minimum,
  } = schema as Schema & {
    $ref?: string;
    oneOf?: readonly Schema[];
    anyOf?: readonly Schema[];
    items?: Schema;
    properties?: Readonly<Record<string, Schema>>;
    required?: readonly string[];
  };
  if ($ref !== undefined) return exampleOf(schemas[$ref.split("/").at(-1) ?? ""] ?? {}, schemas);
  const named = examples ?? choices;
  if (Array.isArray(named)) return named[0];
  const [alternative] = oneOf ?? anyOf ?? [];
  if (alternative) return exampleOf(alternative, schemas);
  if (type === "array") return items ? [exampleOf(items, schemas)] : [];
  if (properties) {
    const there = Object.entries(properties).filter(([name]) => required?.includes(name));
    return Object.fromEntries(there.map(([name, field]) => [name, exampleOf(field, schemas)]));
  }
  const [first] = [type].flat();
  return minimum ?? samples[String(first)];
}
