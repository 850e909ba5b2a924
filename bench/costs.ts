/** Owns how each cost in the simulation is read off what the bench measured. */
import { isDeepStrictEqual } from "node:util";
import { type ClusterPlan, type ClusterReport, nodesMicroseconds } from "./cluster.ts";
import { fitted } from "./scale-plans.ts";
import { type Cost, type Costs, forecast } from "./simulation.ts";

/** The median of a plan's runs, by what it cost: the cheapest of short runs is cheaper than that of long ones, by luck alone. */
export function reportOn(plan: ClusterPlan, reports: readonly ClusterReport[]): ClusterReport {
  const ofPlan = reports.filter((candidate) => isDeepStrictEqual(candidate.plan, plan));
  if (ofPlan.length === 0) throw new Error(`The result lacks ${JSON.stringify(plan)}: run BENCH_ONLY=scale npm run bench.`);
  const sorted = ofPlan.toSorted((a, b) => nodesMicroseconds(a) - nodesMicroseconds(b));
  return sorted[Math.floor(sorted.length / 2)] as ClusterReport;
}

/** Two measurements, with small commits and with large ones, tell apart what a commit costs and what a message in it. */
function costOf(small: ClusterReport, large: ClusterReport, microseconds: (report: ClusterReport) => number): Cost {
  const [a, b] = [small, large].map((report) => ({
    share: report.transactions / report.messages,
    cost: microseconds(report) / report.messages,
  }));
  if (!a || !b) throw new Error("There are two measurements.");
  const each = (a.cost - b.cost) / (a.share - b.share);
  return { each: Math.max(0, each), message: Math.max(0, b.cost - each * b.share) };
}

const perMessage = ({ messages }: ClusterReport, ms: number) => (ms * 1_000) / messages;

/** More than any machine's. */
const mostCrowding = 1_000;

/** Where between nothing and `high` the answer turns from yes to no. */
function bisect(high: number, isTooLittle: (value: number) => boolean): number {
  let [from, to] = [0, high];
  while (to - from > high / 1_000) {
    const middle = (from + to) / 2;
    if (isTooLittle(middle)) from = middle;
    else to = middle;
  }
  return from;
}

/** By how much the simulation costs the nodes more than was measured. */
function excess(costs: Costs, report: ClusterReport, cores: number): number {
  const { nodes, readers: members, inFlight } = report.plan;
  return forecast(costs, { nodes, members, channels: 1, inFlight, cores }).nodesMicrosecondsPerMessage - nodesMicroseconds(report);
}

/** What waking costs shows only where there are more processes than cores, so it is found by simulating two such measurements. */
function withWaking(costs: Costs, crowded: ClusterReport, readCrowded: ClusterReport, cores: number): Costs {
  const crowding = bisect(mostCrowding, (value) => excess({ ...costs, crowding: value }, crowded, cores) < 0);
  const { each, message } = costs.delivery;
  const roused = (rousing: number): Costs => ({ ...costs, crowding, rousing, delivery: { each: each - rousing, message } });
  return roused(bisect(each, (value) => excess(roused(value), readCrowded, cores) > 0));
}

export function readCosts(reports: readonly ClusterReport[], cores: number): Costs {
  const of = (name: keyof typeof fitted) => reportOn(fitted[name], reports);
  const [small, large, single, passed] = [of("small"), of("large"), of("single"), of("passed")];
  const nodes = ({ nodesCpuMs }: ClusterReport, index = 0) => (nodesCpuMs[index] ?? 0) * 1_000;

  const commit = costOf(small, large, nodes);
  const transaction = costOf(small, large, ({ cpuMs }) => cpuMs * 1_000);
  const commits = ({ transactions, messages }: ClusterReport, cost: Cost) => transactions * cost.each + messages * cost.message;
  const beyond = (report: ClusterReport, used: number, cost: Cost) => Math.max(0, used - commits(report, cost)) / report.plan.readers;
  const costs = {
    commit,
    transaction,
    // One after the other nothing overlaps: what is not work is waiting. The median, since a machine's other work delays some.
    waiting: Math.max(0, single.answeredMs * 1_000 - perMessage(single, (single.nodesCpuMs[0] ?? 0) + single.cpuMs + single.loadCpuMs)),
    look: costOf(of("followedSmall"), of("followedLarge"), (report) => nodes(report, 1)),
    lookUp: costOf(of("followedSmall"), of("followedLarge"), (report) => Math.max(0, report.cpuMs * 1_000 - commits(report, transaction))),
    delivery: costOf(of("readSmall"), of("readLarge"), (report) => beyond(report, nodes(report), commit)),
    reading: costOf(of("readSmall"), of("readLarge"), ({ readersCpuMs, plan }) => (readersCpuMs * 1_000) / plan.readers),
    passing: beyond(passed, nodes(passed), commit) / passed.transactions,
    posting: perMessage(large, large.loadCpuMs),
    rousing: 0,
    crowding: 0,
  };
  return withWaking(costs, of("crowded"), of("readCrowded"), cores);
}
