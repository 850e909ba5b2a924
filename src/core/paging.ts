/** Owns pages of a table by id: always ascending, no larger than an answer may be, and knowing whether there is more on either side. */
import type { z } from "zod";
import type { Reply } from "./context.ts";
import { maxAnswerBytes } from "./limits.ts";
import { columnsOf, type Row, toResource } from "./resource.ts";
import type { Page } from "./schema.ts";
import type { Param, Read } from "./transaction.ts";
import { visible } from "./visible.ts";

type Resource = z.ZodObject<{ id: z.ZodNumber }>;

interface PageQuery<Shape extends Resource> {
  readonly table: string;
  /** The resources of the page: the table has a column for each field. */
  readonly shape: Shape;
  /** What a row has to have. There is an index of these columns, in this order, which goes on with the id; it is walked. */
  readonly where: readonly { column: string; value: Param }[];
  /** Where a page without `before` or `after` lies. */
  readonly from: "first" | "newest";
}

type Side = "<" | "<=" | ">" | ">=";

/** What a wire writes around the rows, and the longer names of their fields, take the rest of an answer. */
const maxPageBytes = maxAnswerBytes - 16 * 1024;
/** Enough for a page of the default length in one statement, and few enough of the largest rows to be collected soon. */
const rowsAtOnce = 101;
/** The bytes of a character in JSON at most, and of a row without its texts. */
const maxBytesPerCharacter = 6;
const bytesBesideTexts = 256;

/** Reads one page and leaves in `reply` the ids that continue it. */
export async function readPage<Shape extends Resource>(
  ctx: { read: Read; reply: Reply },
  query: PageQuery<Shape>,
  page: Page,
): Promise<z.output<Shape>[]> {
  const { before, after, limit } = page;
  const forward = after !== undefined || (before === undefined && query.from === "first");
  const { rows, more } = forward
    ? await readRows(ctx.read, query, ">", after ?? 0, limit)
    : await readRows(ctx.read, query, "<", before ?? Number.MAX_SAFE_INTEGER, limit);
  if (!forward) rows.reverse();

  const next = forward ? more : before !== undefined && (await exists(ctx.read, query, ">=", before));
  const prev = forward ? query.from === "newest" && after !== undefined && (await exists(ctx.read, query, "<=", after)) : more;
  // The neighbour of an empty page begins at the ids where the page would have been.
  const first = rows[0]?.id ?? Math.min((after ?? 0) + 1, Number.MAX_SAFE_INTEGER);
  const last = rows.at(-1)?.id ?? Math.max((before ?? 1) - 1, 0);
  if (next) ctx.reply.next = last;
  if (prev) ctx.reply.prev = first;
  return rows.map((row) => toResource(query.shape, row));
}

/** Rows on one side of an id, the nearest first: at least one, at most `limit`, and no more than one answer may hold. */
async function readRows<Shape extends Resource>(read: Read, query: PageQuery<Shape>, side: Side, id: number, limit: number) {
  const columns = columnsOf(query.shape);
  const rows: Row<Shape>[] = [];
  let bytes = 0;
  for (let position = id; ; position = rows.at(-1)?.id ?? position) {
    const wanted = Math.min(limit + 1 - rows.length, rowsAtOnce);
    const found = await readBeyond<Row<Shape>>(read, query, columns, side, position, wanted);
    for (const row of found) {
      bytes += sizeOf(row);
      if (rows.length === limit || (rows.length > 0 && bytes > maxPageBytes)) return { rows, more: true };
      rows.push(row);
    }
    if (found.length < wanted) return { rows, more: false };
  }
}

/** Bytes of a row's JSON. Nearly every row is so small that its exact size does not matter. */
function sizeOf<Row extends object>(row: Row): number {
  let characters = 0;
  for (const column in row) {
    const value = row[column];
    if (typeof value === "string") characters += value.length;
  }
  const most = characters * maxBytesPerCharacter + bytesBesideTexts;
  return most * rowsAtOnce < maxPageBytes ? most : Buffer.byteLength(JSON.stringify(row));
}

/** Rows on one side of an id, the nearest first. */
function readBeyond<Found>(
  read: Read,
  { table, where }: Pick<PageQuery<Resource>, "table" | "where">,
  columns: string,
  side: Side,
  id: number,
  limit: number,
): Promise<Found[]> {
  const direction = side.startsWith(">") ? "asc" : "desc";
  // The first is asked "in" the same value twice, and orders too. With "=" it would order nothing, and PostgreSQL, which may plan without
  // the value, could take the index of ids alone: for a quiet channel, past the messages of all others.
  const conditions = [...where.map(({ column }, index) => (index === 0 ? `${column} in (?, ?)` : `${column} = ?`)), `id ${side} ?`];
  const values = [...where.slice(0, 1), ...where].map(({ value }) => value);
  const order = [...where.map(({ column }) => column), "id"].map((column) => `${column} ${direction}`).join(", ");
  return read.all<Found>(`select ${columns} from ${visible(table)} where ${conditions.join(" and ")} order by ${order} limit ?`, [
    ...values,
    id,
    limit,
  ]);
}

async function exists(read: Read, query: Pick<PageQuery<Resource>, "table" | "where">, side: Side, id: number): Promise<boolean> {
  return (await readBeyond(read, query, "1", side, id, 1)).length > 0;
}
