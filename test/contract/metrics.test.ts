import { expect, test } from "vitest";
import { post, request, signUp } from "../support/http.ts";
import { startServer } from "../support/server.ts";

/** The value of one sample. */
function sample(text: string, name: string): number {
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

test("metrics are Prometheus text, and count what happened", async () => {
  await using server = await startServer();
  const { token } = await signUp(server, "somebody");
  await Promise.all(Array.from({ length: 5 }, (_, index) => post(server, token, 1, `text ${index}`)));
  await request(server, "GET", "/channel/999");
  await request(server, "GET", "/nothing");
  await request(server, "GET", "/trpc/channel.list");
  const stream = await fetch(`${server.restUrl}/event`, { headers: { accept: "text/event-stream" } });
  const { status, headers, text } = await request(server, "GET", "/metrics");
  expect(status).toBe(200);
  expect(headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const count = (operation: string, code: number) =>
    sample(text, `keenchat_http_request_duration_seconds_count{operation="${operation}",status="${code}"}`);
  expect(count("message.post", 201)).toBe(5);
  expect(count("channel.get", 404)).toBe(1);
  expect(count("none", 404)).toBe(1);
  expect(count("channel.list", 200)).toBe(1);
  expect(sample(text, "keenchat_log_head")).toBeGreaterThanOrEqual(6);
  expect(sample(text, "keenchat_commits_total")).toBeGreaterThanOrEqual(2);
  expect(sample(text, "keenchat_commit_events_sum")).toBeGreaterThanOrEqual(6);
  expect(sample(text, "keenchat_write_queue_length")).toBe(0);
  expect(sample(text, "keenchat_connections")).toBe(1);
  expect(sample(text, "keenchat_feeds")).toBe(1);
  expect(sample(text, "nodejs_eventloop_lag_seconds")).toBeGreaterThanOrEqual(0);
  expect(sample(text, "process_resident_memory_bytes")).toBeGreaterThan(0);
  expect(text).not.toContain("somebody");
  await stream.body?.cancel();
});

test("without METRICS_TOKEN they are for this machine alone", async () => {
  await using server = await startServer({ TRUSTED_PROXIES: "127.0.0.1" });
  expect((await request(server, "GET", "/metrics")).status).toBe(200);
  for (const header of ["x-forwarded-for", "forwarded", "via"]) {
    const refused = await request(server, "GET", "/metrics", { headers: { [header]: "127.0.0.1" } });
    expect(refused.status).toBe(403);
    expect(refused.body.code).toBe("FORBIDDEN");
  }
});

test("with METRICS_TOKEN they are for its bearer alone", async () => {
  await using server = await startServer({ METRICS_TOKEN: "letmesee" });
  const status = async (authorization?: string, query = "") =>
    (await request(server, "GET", `/metrics${query}`, { headers: authorization === undefined ? {} : { authorization } })).status;
  expect(await status("Bearer letmesee")).toBe(200);
  for (const wrong of [undefined, "Bearer wrong", "Bearer letmesee2", "Basic letmesee", "letmesee"])
    expect([wrong, await status(wrong)]).toEqual([wrong, 401]);
  expect(await status(undefined, "?auth=letmesee")).toBe(401);
});
