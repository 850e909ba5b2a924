/** A process that posts and asks: over HTTP on raw keep-alive connections, to the bare server's broadcast over its socket. */
import { connect, type Socket } from "node:net";
import process from "node:process";
import { answer } from "./child.ts";
import { monotonicMs } from "./machine.ts";
import { median } from "./quantiles.ts";
import { clientFrame, openSocket } from "./raw-socket.ts";

export interface PostPlan {
  readonly kind: "bare" | "keenchat";
  /** Of one server, or of each node: number by number each takes its turn. */
  readonly ports: readonly number[];
  readonly token?: string | undefined;
  readonly messages: number;
  /** Posts under way at once. */
  readonly inFlight: number;
  /** Posts begin at this pace; otherwise as soon as there is room. */
  readonly perSecond?: number | undefined;
}

export interface PostReport {
  readonly seconds: number;
  /** Processor time of this process. */
  readonly cpuMs: number;
  /** When each number was sent, on the machine's monotonic clock (milliseconds). */
  readonly sentAt: readonly number[];
  /** From sending to answer, the median. */
  readonly answeredMs: number;
}

interface Times {
  readonly sentAt: number[];
  readonly tookMs: number[];
}

const filler = " the quick brown fox jumps over the lazy dog";
const headEnd = Buffer.from("\r\n\r\n");

/** One request at a time on one connection. */
class HttpConnection {
  readonly #socket: Socket;
  #answered: (status: number) => void = () => {};
  #pending: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("data", (chunk) => this.#take(chunk));
  }

  request(bytes: string): Promise<number> {
    this.#socket.write(bytes);
    return new Promise((resolve) => {
      this.#answered = resolve;
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    const end = this.#pending.indexOf(headEnd);
    if (end === -1) return;
    const head = this.#pending.toString("latin1", 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#pending.length < end + 4 + length) return;
    this.#pending = this.#pending.subarray(end + 4 + length);
    this.#answered(Number(head.slice(9, 12)));
  }
}

function postRequest(number: number, token: string | undefined): string {
  const body = JSON.stringify({ channel_id: 1, message_text: number + filler });
  const authorization = token === undefined ? "" : `Authorization: Bearer ${token}\r\n`;
  return `POST /message HTTP/1.1\r\nHost: 127.0.0.1\r\n${authorization}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** A message as the bare server passes it on: as long as Keenchat's. */
function bareMessage(number: number): string {
  const data = { id: number, channel_id: 1, user_id: 1, message_text: number + filler, time: Date.now() };
  return JSON.stringify({ event: "post message", data, id: `${number.toString(36)}.abcdefgh` });
}

/** Calls `send` for each number, at most `inFlight` at once, at the plan's pace. */
async function pace({ messages, inFlight, perSecond }: PostPlan, send: (number: number, lane: number) => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  let next = 0;
  async function run(lane: number): Promise<void> {
    while (next < messages) {
      next += 1;
      const number = next;
      if (perSecond !== undefined) {
        const dueIn = startedAt + (number * 1_000) / perSecond - performance.now();
        if (dueIn > 0) await new Promise((resolve) => setTimeout(resolve, dueIn));
      }
      await send(number, lane);
    }
  }
  await Promise.all(Array.from({ length: inFlight }, (_, lane) => run(lane)));
}

async function broadcast(plan: PostPlan): Promise<Times> {
  // Its own messages come back in the order it sent them, and so tell that they went out.
  const waiting: (() => void)[] = [];
  const socket = await openSocket(plan.ports[0] ?? 0, "/", (frames) => {
    for (let at = frames.indexOf('"event"'); at !== -1; at = frames.indexOf('"event"', at + 7)) waiting.shift()?.();
  });
  await pace(plan, (number) => {
    socket.write(clientFrame(bareMessage(number)));
    return new Promise((resolve) => waiting.push(resolve));
  });
  socket.destroy();
  return { sentAt: [], tookMs: [] };
}

async function overHttp(plan: PostPlan, requestOf: (number: number) => string): Promise<Times> {
  const sentAt: number[] = [];
  const tookMs: number[] = [];
  const lanes = Array.from({ length: plan.inFlight }, () => plan.ports.map((port) => new HttpConnection(port)));
  await pace(plan, async (number, lane) => {
    const startedAt = monotonicMs();
    sentAt[number] = startedAt;
    const status = (await lanes[lane]?.[number % plan.ports.length]?.request(requestOf(number))) ?? 0;
    tookMs.push(monotonicMs() - startedAt);
    if (status !== 200 && status !== 201) throw new Error(`A request was answered ${status}.`);
  });
  for (const connection of lanes.flat()) connection.close();
  return { sentAt, tookMs };
}

async function timed(work: Promise<Times>): Promise<PostReport> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const { sentAt, tookMs } = await work;
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - startedAt) / 1_000, cpuMs: (user + system) / 1_000, sentAt, answeredMs: median(tookMs) };
}

const post = (plan: PostPlan) => overHttp(plan, (number) => postRequest(number, plan.token));

answer({
  broadcast: (plan: PostPlan) => timed(plan.kind === "bare" ? broadcast(plan) : post(plan)),
  post: (plan: PostPlan) => timed(post(plan)),
  get: (plan: PostPlan & { path: string }) => timed(overHttp(plan, () => `GET ${plan.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)),
});
