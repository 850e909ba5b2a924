/** Owns one attack: a server, readers, writers and faults, woven together by the number of messages, and the ledger at the end. */
import { within } from "../support/wait.ts";
import { type Finding, Ledger } from "./ledger.ts";
import { type Cut, Line } from "./line.ts";
import { Random } from "./random.ts";
import { wires } from "./readers.ts";
import { ServerProcess } from "./server-process.ts";
import { insist, write } from "./writers.ts";

export interface Plan {
  readonly seed: number;
  readonly messages: number;
  readonly cuts: number;
  readonly stalls: number;
  readonly kills: number;
  /** What Node runs in the place of the server. */
  readonly entry?: readonly string[];
}

export interface Outcome {
  readonly findings: readonly Finding[];
  /** What the server wrote to its log, and unplanned ends. */
  readonly complaints: readonly string[];
  readonly acknowledged: number;
  readonly cuts: number;
  readonly kills: number;
  /** The seed and the ledger, for people. */
  readonly report: string;
}

type Fault = "cut" | "stall" | "kill";

const writers = 12;
const users = 3;
/** How long readers may take to see the last message once nobody disturbs them. */
const settleMs = 30_000;

export async function attack(plan: Plan): Promise<Outcome> {
  const random = new Random(plan.seed);
  const startedAt = performance.now();
  const ledger = new Ledger();
  const server = await ServerProcess.start(plan.entry);
  const writersLine = await Line.to(server.port);
  const readers = await Promise.all(
    wires.map(async ({ name, port, open }) => {
      const line = await Line.to(server[port]);
      const account = ledger.open(name);
      return { name, line, account, cuts: 0, ...open({ address: line.address, account, random: random.fork() }) };
    }),
  );
  const lines = [...readers, { name: "writers", line: writersLine, cuts: 0 }];
  const done = { cut: 0, stall: 0, kill: 0 };

  async function commit(fault: Fault): Promise<void> {
    if (fault === "kill") await server.killAndRestart();
    else if (fault === "stall") random.pick(readers).line.stall(random.between(100, 1_500));
    else {
      const how = random.pick<Cut>(["close", "reset", "bytes", "bytes", "bytes", "silence"]);
      const bytes = random.chance(0.5) ? random.between(1, 300) : random.between(300, 60_000);
      let victim = random.pick(lines);
      // Not the one that is down right now; all of them are for a moment after a kill.
      while (!victim.line.live) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        victim = random.pick(lines);
      }
      await victim.line.cut(how, bytes, random);
      victim.cuts += 1;
    }
    done[fault] += 1;
    ledger.changed();
  }

  const faults = random.shuffle<Fault>([
    ...new Array<Fault>(plan.cuts).fill("cut"),
    ...new Array<Fault>(plan.stalls).fill("stall"),
    ...new Array<Fault>(plan.kills).fill("kill"),
  ]);
  let committed = 0;
  /** Faults and messages keep step, so that every fault has something to hit. */
  async function disturb(): Promise<void> {
    for (const [index, fault] of faults.entries()) {
      await ledger.until(() => ledger.acknowledged >= (index * plan.messages) / (faults.length + 1));
      await commit(fault);
      committed = index + 1;
    }
  }

  let issued = 0;
  async function next(): Promise<number | undefined> {
    // A fault that waits for bytes to pass gets some: the writers may run ahead of it.
    const ahead = (5 * plan.messages) / (faults.length + 1);
    await ledger.until(() => issued < ahead + ((committed + 1) * plan.messages) / (faults.length + 1));
    if (issued >= plan.messages) return undefined;
    issued += 1;
    return issued;
  }

  try {
    const tokens: string[] = [];
    for (let user = 1; user <= users; user += 1) {
      const credentials = { username: `writer${user}`, password: "correct horse" };
      await insist(writersLine.address, "/user", undefined, credentials);
      tokens.push((await insist<{ token_value: string }>(writersLine.address, "/auth", undefined, credentials)).body.token_value);
    }
    await within(settleMs, "The readers' first position", Promise.all(readers.map(({ ready }) => ready)));
    const options = () => ({ address: writersLine.address, tokens, random: random.fork(), ledger, next });
    const writing = Array.from({ length: writers }, () => write(options()));
    await Promise.all([disturb(), ...writing]);

    // The last message of all: whatever a reader was to see before it, it has seen by then.
    const [token = ""] = tokens;
    const text = "the last message";
    const last = await insist<{ id: number }>(writersLine.address, "/message", token, {
      channel_id: 1,
      message_text: text,
      client_message_id: "last",
    });
    ledger.acknowledge("last", { id: last.body.id, text });
    const settled = ledger.until(() => readers.every(({ account }) => account.seen.some(({ id }) => id === last.body.id)));
    await within(settleMs, "The readers' way to the last message", settled).catch(() => {});
  } finally {
    for (const reader of readers) reader.close();
    for (const { line } of lines) line.close();
    await server.stop();
  }

  const findings = ledger.judge();
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  const rows = lines.map(({ name, line, cuts, ...reader }) => {
    const seen = "account" in reader ? `${(reader as (typeof readers)[number]).account.seen.length} seen, ` : "";
    return `  ${name.padEnd(12)} ${seen}${line.connections} connections, ${cuts} cuts`;
  });
  const report = [
    `adversary, seed ${plan.seed}: ${ledger.acknowledged} acknowledged (${ledger.repetitions} repetitions), ${ledger.refused} refused, ` +
      `${done.cut} cuts, ${done.stall} stalls, ${done.kill} kills in ${seconds} s`,
    ...rows,
    ...findings.map(({ reader, kind, count, messages }) => `  ${reader}: ${count} ${kind}, the first of them ${messages.join(", ")}`),
    ...server.complaints.map((line) => `  server: ${line.slice(0, 500)}`),
    findings.length === 0 ? "  every reader saw every acknowledged message once, in order" : "  THE LEDGER DOES NOT BALANCE",
  ].join("\n");
  return { findings, complaints: server.complaints, acknowledged: ledger.acknowledged, cuts: done.cut, kills: done.kill, report };
}
