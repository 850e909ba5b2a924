/**
 * What a message costs against nodes, channels and members: `npm run bench:scale`. The costs are read off the newest result of
 * `npm run bench`; the simulation is first held against what one to three real nodes did there, and fails where it is off by a fifth.
 */
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import { type ClusterReport, nodesMicroseconds } from "./cluster.ts";
import { readCosts, reportOn } from "./costs.ts";
import { newestResult } from "./result.ts";
import { checked, fitted } from "./scale-plans.ts";
import { type Costs, type Forecast, forecast, type Installation } from "./simulation.ts";

const tolerance = 0.2;
/** Posts under way at each node: whatever ends first has been reached. */
const fullInFlight = 100;

function number(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));
}

function table(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => cells.map((cell, column) => cell.padStart(widths[column] ?? 0)).join("  ");
  console.log(`\n${title}\n${[head, ...rows].map(line).join("\n")}`);
}

function showCosts(costs: Costs): void {
  const cost = ({ each, message }: { each: number; message: number }) => [number(each), number(message)];
  table(
    "Costs, µs of a core",
    ["", "each", "a message"],
    [
      ["a node's commit", ...cost(costs.commit)],
      ["PostgreSQL's transaction", ...cost(costs.transaction)],
      ["its waiting, no core", number(costs.waiting), ""],
      ["a look at others' commits", ...cost(costs.look)],
      ["PostgreSQL's part of it", ...cost(costs.lookUp)],
      ["a write to a reader", ...cost(costs.delivery)],
      ["waking its end, with that", number(costs.rousing), ""],
      ["a reader not concerned", number(costs.passing), ""],
      ["waking, for each in the way", number(costs.crowding), ""],
    ],
  );
}

/** Holds the simulation against what was measured where nothing was fitted. */
function check(costs: Costs, reports: readonly ClusterReport[], cores: number): boolean {
  let met = true;
  const rows = checked.flatMap((plan) => {
    if (Object.values(fitted).some((other) => isDeepStrictEqual(other, plan))) throw new Error("A plan is held against itself.");
    const report = reportOn(plan, reports);
    const { nodes, readers, inFlight } = plan;
    const predicted = forecast(costs, { nodes, members: readers, channels: 1, inFlight, cores });
    const pairs = [
      ["messages a commit", predicted.messagesPerCommit, report.messages / report.transactions],
      ["messages/s", predicted.messagesPerSecond, report.messages / report.seconds],
      ["µs of nodes a message", predicted.nodesMicrosecondsPerMessage, nodesMicroseconds(report)],
    ] as const;
    return pairs.map(([what, expected, real]) => {
      const off = expected / real - 1;
      const within = Math.abs(off) <= tolerance;
      met &&= within;
      const sizes = [nodes, readers, inFlight].map(String);
      return [
        ...sizes,
        what,
        number(expected),
        number(real),
        `${(off * 100).toFixed(0)} %`,
        within ? "met" : "MISSED",
        `${(report.othersShare * 100).toFixed(0)} %`,
      ];
    });
  });
  const head = ["nodes", "readers", "in flight", "", "simulated", "measured", "off", `within ${tolerance * 100} %`, "taken by others"];
  table(`Held against what ${cores} cores did`, head, rows);
  return met;
}

function ended({ rowShare, coreShare }: Forecast): string {
  return rowShare > coreShare ? "the counter row" : "a node's core";
}

function onFull(costs: Costs, installation: Omit<Installation, "inFlight">): Forecast {
  return forecast(costs, { ...installation, inFlight: installation.nodes * fullInFlight });
}

function showPosting(costs: Costs): void {
  const rows = [1, 2, 3, 4, 8, 16, 32].map((nodes) => {
    const result = onFull(costs, { nodes, members: 0, channels: 1 });
    const { messagesPerSecond, messagesPerCommit, nodesMicrosecondsPerMessage } = result;
    return [String(nodes), number(messagesPerSecond), number(messagesPerCommit), number(nodesMicrosecondsPerMessage), ended(result)];
  });
  const head = ["nodes", "messages/s", "a commit", "µs of nodes a message", "what ends first"];
  table(
    `Posting, nobody reads: a core for each node, as many as it wants for PostgreSQL, ${fullInFlight} posts under way at each node`,
    head,
    rows,
  );
  const { messagesPerSecond } = forecast(costs, { nodes: 8, inFlight: 8, members: 0, channels: 1 });
  console.log(`One post under way at each of 8 nodes, and so a transaction for each: ${number(messagesPerSecond)} a second.`);
}

function showMembers(costs: Costs, idleBytes: number | undefined): void {
  const sizes = [
    [1_000, 100],
    [1_000, 1],
    [10_000, 1_000],
    [10_000, 10],
    [10_000, 1],
    [100_000, 10_000],
    [100_000, 100],
    [100_000, 1],
  ] as const;
  const rows = sizes.flatMap(([members, channels]) =>
    [1, 4, 16].map((nodes) => {
      const result = onFull(costs, { nodes, members, channels });
      const memory = idleBytes === undefined ? "" : number((members * idleBytes) / nodes / 1e6);
      const figures = [result.messagesPerSecond, result.nodesMicrosecondsPerMessage].map(number);
      return [...[members, channels, members / channels, nodes].map(number), ...figures, memory, ended(result)];
    }),
  );
  const head = ["members", "channels", "readers each", "nodes", "messages/s", "µs of nodes a message", "MB a node", "what ends first"];
  table(`Members that are connected, each reads one channel; ${fullInFlight} posts under way at each node`, head, rows);
}

/** Half of everything stays in reserve; a message comes to its readers alone, ten posts share a commit; a node has 16 GB for sockets. */
function showOnPaper(costs: Costs, idleBytes: number | undefined): void {
  const reserve = 0.5;
  const messagesPerCommit = 10;
  const memoryBytes = 16e9;
  const { commit, look, lookUp, delivery, rousing } = costs;
  const row = onFull(costs, { nodes: 4, members: 0, channels: 1 }).messagesPerSecond;
  const rows = (
    [
      [1e5, 1e3, 50],
      [1e6, 1e4, 50],
      [1e7, 1e5, 50],
      [1e7, 1e5, 1_000],
    ] as const
  ).map(([members, rate, readers]) => {
    const posting = rate * (commit.each / messagesPerCommit + commit.message);
    const delivering = rate * readers * (delivery.each + rousing + delivery.message);
    const cores = (posting + delivering) / 1e6 / reserve;
    const byMemory = idleBytes === undefined ? 0 : (members * idleBytes) / memoryBytes / reserve;
    const nodes = Math.ceil(Math.max(cores, byMemory));
    const following = (rate * look.message) / 1e6;
    const looking = (nodes * rate * (lookUp.each / messagesPerCommit + lookUp.message)) / 1e6;
    return [members, rate, readers, Math.ceil(rate / (row * reserve)), nodes, following, looking].map(number);
  });
  const head = ["connected", "messages/s", "readers each", "groups", "nodes", "cores a node to follow all", "PostgreSQL's cores for looks"];
  table("On paper, half of everything in reserve", head, rows);
}

const result = newestResult(({ configurations }) => (configurations?.length ?? 0) > 0);
if (!result) throw new Error("Nothing has been measured: run npm run bench, or BENCH_ONLY=scale npm run bench.");
const idle = newestResult(({ rows }) => rows.some(({ what }) => what === "idle connection, trpc, resident"));
const idleKilobytes = idle?.rows.find(({ what }) => what === "idle connection, trpc, resident")?.ours;

console.log(
  `Measured ${result.at} on ${result.cores} × ${result.cpu}, Node ${result.node}, load average ${result.loadBefore.toFixed(1)} before.`,
);
const costs = readCosts(result.configurations, result.cores);
showCosts(costs);
const met = check(costs, result.configurations, result.cores);
showPosting(costs);
const idleBytes = idleKilobytes === undefined ? undefined : idleKilobytes * 1_000;
showMembers(costs, idleBytes);
showOnPaper(costs, idleBytes);
process.exitCode = met ? 0 : 1;
