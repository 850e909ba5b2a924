/** Owns pages of a table by id: always ascending, and knowing whether there is more on either side. */
import type { Param, Read, Reply } from "./context.ts";
import type { Page } from "./schema.ts";
import { visible } from "./visible.ts";

interface PageQuery {
  readonly table: string;
  readonly columns: string;
  readonly where: readonly { sql: string; param: Param }[];
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
  const bound = forward ? { sql: "id > ?", param: after ?? 0 } : { sql: "id < ?", param: before ?? Number.MAX_SAFE_INTEGER };
  const conditions = [...query.where, bound];
  const where = conditions.map(({ sql }) => sql).join(" and ");
  const rows = await ctx.read.all<Row>(
    `select ${query.columns} from ${visible(query.table)} where ${where} order by id ${forward ? "asc" : "desc"} limit ?`,
    [...conditions.map(({ param }) => param), limit + 1],
  );
  const more = rows.length > limit;
  if (more) rows.pop();
  if (!forward) rows.reverse();

  const next = forward ? more : before !== undefined && (await exists(ctx.read, query, "id >= ?", before));
  const prev = forward ? query.from === "newest" && after !== undefined && (await exists(ctx.read, query, "id <= ?", after)) : more;
  // Beside an empty page the neighbour begins where the page would have been, as far as ids go.
  const first = rows[0]?.id ?? Math.min((after ?? 0) + 1, Number.MAX_SAFE_INTEGER);
  const last = rows.at(-1)?.id ?? Math.max((before ?? 1) - 1, 0);
  if (next) ctx.reply.next = last;
  if (prev) ctx.reply.prev = first;
  return rows;
}

async function exists(read: Read, query: PageQuery, sql: string, param: number): Promise<boolean> {
  const where = [...query.where.map((condition) => condition.sql), sql].join(" and ");
  return (
    (await read.get(`select 1 from ${visible(query.table)} where ${where} limit 1`, [
      ...query.where.map((condition) => condition.param),
      param,
    ])) !== undefined
  );
}
