/** Owns how a row becomes a resource: the shape names the columns, and an optional field without a value is left out. */
import type { z } from "zod";
import type { Read } from "./transaction.ts";
import { visible } from "./visible.ts";

/** A row with the columns of a shape: the database has null where an optional field has no value. */
export type Row<Shape extends z.ZodObject> = {
  [Name in keyof z.output<Shape>]-?: undefined extends z.output<Shape>[Name]
    ? Exclude<z.output<Shape>[Name], undefined> | null
    : z.output<Shape>[Name];
};

interface Columns {
  readonly list: string;
  readonly optional: readonly string[];
  /** A row without any value, so that each row has its columns in the order of the shape. */
  readonly empty: Readonly<Record<string, null>>;
}

const known = new WeakMap<z.ZodObject, Columns>();

function describe(shape: z.ZodObject): Columns {
  let columns = known.get(shape);
  if (!columns) {
    const names = Object.keys(shape.shape);
    columns = {
      list: names.map((name) => `"${name}"`).join(", "),
      optional: names.filter((name) => shape.shape[name]?.safeParse(undefined).success),
      empty: Object.fromEntries(names.map((name) => [name, null])),
    };
    known.set(shape, columns);
  }
  return columns;
}

/** The columns of a shape, as a select list. */
export function columnsOf(shape: z.ZodObject): string {
  return describe(shape).list;
}

/** The row that holds these values: an optional field without one is null in it. */
export function toRow<Shape extends z.ZodObject>(shape: Shape, values: z.output<NoInfer<Shape>>): Row<Shape> {
  const { empty, optional } = describe(shape);
  const row: Record<string, unknown> = { ...empty, ...values };
  for (const name of optional) row[name] ??= null;
  return row as Row<Shape>;
}

/** The row itself as the resource that it holds: nothing writes a field that is undefined. A row with other columns is none. */
export function toResource<Shape extends z.ZodObject>(shape: Shape, row: Row<NoInfer<Shape>>): z.output<Shape> {
  const resource = row as Record<string, unknown>;
  for (const name of describe(shape).optional) resource[name] ??= undefined;
  return resource as z.output<Shape>;
}

/** The resource with this id, if there is one to see. */
export async function readResource<Shape extends z.ZodObject>(
  read: Read,
  shape: Shape,
  table: string,
  id: number,
): Promise<z.output<Shape> | undefined> {
  const row = await read.get<Row<Shape>>(`select ${columnsOf(shape)} from ${visible(table)} where id = ?`, [id]);
  return row && toResource(shape, row);
}
