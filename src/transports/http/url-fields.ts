/** Owns how a procedure's field is written in a URL. */
import { list, single, type Target } from "./gate.ts";

/** What a field of a URL has to become before Zod looks at it. */
export type FieldKind = "number" | "numbers" | "text";

const plainInteger = /^(?:0|[1-9]\d{0,15})$/;

/** A plain decimal integer becomes a number; anything else stays text, which Zod then refuses with its path. */
function toNumber(text: string): number | string {
  return plainInteger.test(text) ? Number(text) : text;
}

/** A field as it stands in a path, as the value its schema wants. */
export function fromPath(text: string, kind: FieldKind | undefined): unknown {
  return kind === "number" ? toNumber(text) : text;
}

/** A field as it stands in a query, likewise; undefined where it is missing. @throws AppError BAD_REQUEST where it is repeated and no list. */
export function fromQuery(query: Target["query"], name: string, kind: FieldKind | undefined): unknown {
  if (kind === "numbers") return list(query, name)?.map(toNumber);
  const text = single(query, name);
  return text === undefined ? undefined : fromPath(text, kind);
}
