/** Owns pages of a table by id: always ascending, and knowing whether there is more on either side. */
import type { Param, Read, Reply } from "./context.ts";
import type { Page } from "./schema.ts";
import { visible } from "./visible.ts";

interface PageQuery {
  readonly table: string;
  readonly columns: string;
  /** What a row has to have. The index of the first column, which goes on with the id, is walked. */
  readonly where: readonly { column: string; value: Param }[];
  /** Where a page without `before` or `after` lies. */
  readonly from: "first" | "newest";
}

/** Reads one page and leaves in `reply` the ids that continue it. */
export async function readPage<Row extends { id: number }>(
  ctx: { read: Read; reply: Reply },
  query: PageQuery,
  page: Page,
): Promise<Row[]> {
  const { before, after, limit } = page;
  const forward = after !== undefined || (before === undefined && query.from === "first");
  const rows = forward
    ? await readBeyond<Row>(ctx.read, query, ">", after ?? 0, limit + 1)
    : await readBeyond<Row>(ctx.read, query, "<", before ?? Number.MAX_SAFE_INTEGER, limit + 1);
  const more = rows.length > limit;
  if (more) rows.pop();
  if (!forward) rows.reverse();

  const next = forward ? more : before !== undefined && (await exists(ctx.read, query, ">=", before));
  const prev = forward ? query.from === "newest" && after !== undefined && (await exists(ctx.read, query, "<=", after)) : more;
  // Beside an empty page the neighbour begins where the page would have been, as far as ids go.
  const first = rows[0]?.id ?? Math.min((after ?? 0) + 1, Number.MAX_SAFE_INTEGER);
  const last = rows.at(-1)?.id ?? Math.max((before ?? 1) - 1, 0);
  if (next) ctx.reply.next = last;
  if (prev) ctx.reply.prev = first;
  return rows;
}

/** Rows on one side of an id, the nearest first. */
function readBeyond<Row>(read: Read, query: PageQuery, side: "<" | "<=" | ">" | ">=", id: number, limit: number): Promise<Row[]> {
  const { table, columns, where } = query;
  const direction = side.startsWith(">") ? "asc" : "desc";
  // It is asked "in" the same value twice, and orders too. With "=" it would order nothing, and PostgreSQL, which may plan without the
  // value, could take the index of ids alone: for a quiet channel, past the messages of all others. "+" keeps other indexes out.
  const [walked, ...others] = where;
  const conditions = [...(walked ? [`${walked.column} in (?, ?)`] : []), ...others.map(({ column }) => `+${column} = ?`), `id ${side} ?`];
  const values = [...(walked ? [walked.value, walked.value] : []), ...others.map(({ value }) => value), id];
  const order = [...(walked ? [walked.column] : []), "id"].map((column) => `${column} ${direction}`).join(", ");
  return read.all<Row>(`select ${columns} from ${visible(table)} where ${conditions.join(" and ")} order by ${order} limit ?`, [
    ...values,
    limit,
  ]);
}

async function exists(read: Read, query: PageQuery, side: "<=" | ">=", id: number): Promise<boolean> {
  return (await readBeyond(read, { ...query, columns: "1" }, side, id, 1)).length > 0;
}
