/**
 * Writers, readers on every wire, cut lines, stalls, `kill -9`; then the ledger. ADVERSARY_SCALE multiplies the attack
 * (10 is 10,000 messages, 200 cuts, 20 kills, and what KEENCHAT_TEST_LONG asks for), ADVERSARY_SEED repeats one.
 */
import { expect, test } from "vitest";
import { attack } from "./attack.ts";

const scale = Number(process.env["ADVERSARY_SCALE"] ?? (process.env["KEENCHAT_TEST_LONG"] ? 10 : 1));
const seed = Number(process.env["ADVERSARY_SEED"] ?? Date.now() % 2 ** 31);

test(
  "every acknowledged message reaches every reader once and in order, whatever breaks on the way",
  async () => {
    const plan = { seed, messages: 1_000 * scale, cuts: 20 * scale, stalls: 4 * scale, kills: 2 * scale };
    const { findings, complaints, report, ...counts } = await attack(plan);
    console.log(report);
    expect(findings, report).toEqual([]);
    expect(complaints, report).toEqual([]);
    // The last message comes on top.
    expect(counts).toEqual({ acknowledged: plan.messages + 1, cuts: plan.cuts, kills: plan.kills });
  },
  60_000 + 30_000 * scale,
);

const planted = [
  { fault: "dropped", kind: "lost" },
  { fault: "repeated", kind: "repeated" },
  { fault: "swapped", kind: "out of order" },
];

test.each(planted)(
  "a server with events $fault is found out",
  async ({ fault, kind }) => {
    const plan = { seed, messages: 1_050, cuts: 3, stalls: 0, kills: 0, entry: ["faulty-server.ts", fault] };
    const { findings, report } = await attack(plan);
    expect(
      findings.map((finding) => finding.kind),
      report,
    ).toContain(kind);
  },
  60_000,
);
