/** Owns the few constants of the simulation, and how each is read off what the bench measured. */
import { isDeepStrictEqual } from "node:util";
import type { ClusterPlan, ClusterReport } from "./cluster.ts";
import { fitted } from "./scale-plans.ts";

/** What something costs each time, and for each message in it: microseconds of processor time. */
export interface Cost {
  readonly each: number;
  readonly message: number;
}

export interface Constants {
  /** A node's commit, with everything about its messages but their delivery. */
  readonly commit: Cost;
  /** PostgreSQL's part of it. */
  readonly transaction: Cost;
  /** What a transaction waits beside that work: the disk's flush, and the ways between the processes. It holds the counter row. */
  readonly waiting: number;
  /** A node's look at what others have committed, and PostgreSQL's part of it. */
  readonly look: Cost;
  readonly lookUp: Cost;
  /** What one reader gets of a commit: a write to its socket, and each message in it; and what that costs the reader's own end. */
  readonly delivery: Cost;
  readonly reading: Cost;
  /** A reader whom a commit does not concern. */
  readonly passing: number;
  /** Whoever posts, a message. */
  readonly posting: number;
}

export function reportOn(plan: ClusterPlan, reports: readonly ClusterReport[]): ClusterReport {
  const report = reports.find((candidate) => isDeepStrictEqual(candidate.plan, plan));
  if (!report) throw new Error(`The result lacks ${JSON.stringify(plan)}: run BENCH_ONLY=scale npm run bench.`);
  return report;
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

export function readConstants(reports: readonly ClusterReport[]): Constants {
  const of = (name: keyof typeof fitted) => reportOn(fitted[name], reports);
  const [small, large, single, passed] = [of("small"), of("large"), of("single"), of("passed")];
  const nodes = ({ nodesCpuMs }: ClusterReport, index = 0) => (nodesCpuMs[index] ?? 0) * 1_000;

  const commit = costOf(small, large, nodes);
  const transaction = costOf(small, large, ({ cpuMs }) => cpuMs * 1_000);
  const commits = ({ transactions, messages }: ClusterReport, cost: Cost) => transactions * cost.each + messages * cost.message;
  const beyond = (report: ClusterReport, used: number, cost: Cost) => Math.max(0, used - commits(report, cost)) / report.plan.readers;
  return {
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
  };
}
