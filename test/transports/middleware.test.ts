/** A middleware as tRPC's documentation writes one, in a copy of this repository: it works the same on every wire that has calls. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyRepository } from "../support/copy.ts";
import { request } from "../support/http.ts";
import { startProcess } from "../support/process.ts";
import { TrpcSocket } from "../support/trpc-frames.ts";

const router = "src/features/channel/channel.router.ts";
const anchor = "export const channelRouter = router({";
const procedure = `
  count: readProcedure
    .use(({ next }) => next({ ctx: { counted: "channels" } }))
    .use(({ next }) => next())
    .meta({ openapi: { method: "GET", path: "/channel/{id}/count", tags: ["channel"], summary: "Count." } })
    .input(z.object({ id: Id }))
    .output(z.object({ title: z.string(), caller: z.null() }))
    .query(async ({ ctx, input: { id } }) => {
      const row = await ctx.read.get<{ n: number }>("select count(*) as n from channel where id <= ?", [id]);
      return { title: \`\${Number(row?.n)} \${ctx.counted}\`, caller: ctx.caller as null };
    }),`;

test("what a middleware adds to the context stands there together with what was in it", { timeout: 120_000 }, async () => {
  using copy = copyRepository();
  copy.write(router, readFileSync(join(copy.path, router), "utf8").replace(anchor, anchor + procedure));
  await using server = startProcess({}, { command: [process.execPath, join(copy.path, "server.js")], directory: copy.path });
  const urls = await server.ready();
  const output = { title: "2 channels", caller: null };
  const input = encodeURIComponent(JSON.stringify({ id: 2 }));
  expect((await request(urls, "GET", "/channel/2/count")).body).toEqual(output);
  expect((await request(urls, "GET", `/trpc/channel.count?input=${input}`)).body).toEqual({ result: { data: output } });
  const socket = await TrpcSocket.open(`${urls.wsUrl}/trpc`);
  socket.send({ id: 1, method: "query", params: { path: "channel.count", input: { id: 2 } } });
  expect((await socket.inbox.take("the answer", ({ id }) => id === 1)).result?.data).toEqual(output);
  await socket.close();
});
