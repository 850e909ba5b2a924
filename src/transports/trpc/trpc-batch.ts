/** Owns the answer to a batch of tRPC calls over HTTP: worked off a few at a time, and no faster than its reader takes it. */
import type { ServerResponse } from "node:http";
import { onOneLine } from "../../core/events/wires.ts";
import { maxMutationsAtOnce, maxQueriesAtOnce } from "../../core/limits.ts";
import { yieldToOthers } from "../../core/yield.ts";
import { CallWindow } from "../calls/call-window.ts";
import { send } from "../http/http.ts";
import type { Answer } from "./trpc-answer.ts";

interface Batch {
  readonly calls: readonly (() => Promise<Answer>)[];
  /** Mutations are carried out whether their answers are read or not, and those that are under way together commit together. */
  readonly mutates: boolean;
  /** As lines of JSON, each when its call is done: what tRPC's `httpBatchStreamLink` asks for. */
  readonly lines: boolean;
}

/** A whole answer of up to this size has a status and a length; a larger one is sent as it grows. */
const bufferedBytes = 512 * 1024;
const contentType = "application/json";

/** One call's answer, as it stands in the body. */
function bodyOf(answer: Answer): string {
  if (answer.error !== undefined) return `{"error":${answer.error}}`;
  return answer.data === undefined ? '{"result":{}}' : `{"result":{"data":${answer.data}}}`;
}

/** Answers one call that stands in no batch. */
export function sendAnswer(response: ServerResponse, answer: Answer): void {
  setRetryAfter(response, [answer]);
  send(response, answer.status, bodyOf(answer), contentType);
}

export function sendBatch(response: ServerResponse, batch: Batch): Promise<void> {
  return batch.lines ? sendLines(response, batch) : sendList(response, batch);
}

interface Done {
  readonly index: number;
  readonly answer: Answer;
  readonly body: string;
}

/** Yields answers in the order of their calls, or as they come. No call begins before the answers so far have been asked for. */
async function* workOff(response: ServerResponse, { calls, mutates, lines }: Batch): AsyncGenerator<Done, void> {
  const window = new CallWindow();
  const underWay: { index: number; done: Promise<Done> }[] = [];
  const begin = async (index: number, call: () => Promise<Answer>): Promise<Done> => {
    const answer = await call();
    return { index, answer, body: bodyOf(answer) };
  };
  for (let next = 0; ; ) {
    const atOnce = mutates ? maxMutationsAtOnce : response.closed ? 0 : window.size(maxQueriesAtOnce);
    while (underWay.length < atOnce) {
      const call = calls[next];
      if (!call) break;
      underWay.push({ index: next, done: begin(next, call) });
      next += 1;
    }
    const first = underWay[0]?.done;
    if (!first) return;
    const done = await (lines ? Promise.race(underWay.map((each) => each.done)) : first);
    underWay.splice(
      underWay.findIndex(({ index }) => index === done.index),
      1,
    );
    window.note(done.body.length);
    yield done;
    // A page is work enough for one turn.
    await yieldToOthers();
  }
}

/** A list in the order of the calls. Its status is that of all of them, or 207, which is also that of a list too long to be kept. */
async function sendList(response: ServerResponse, batch: Batch): Promise<void> {
  const answers: Answer[] = [];
  let text = "";
  for await (const { answer, body } of workOff(response, batch)) {
    answers.push(answer);
    const part = answers.length === 1 ? `[${body}` : `,${body}`;
    if (!response.headersSent && text.length + part.length > bufferedBytes && answers.length < batch.calls.length) {
      setRetryAfter(response, answers);
      response.writeHead(207, { "Content-Type": contentType });
      response.write(text);
      text = "";
    }
    text += part;
    if (!response.headersSent) continue;
    response.write(text);
    text = "";
    await taken(response);
  }
  if (response.closed) return;
  if (response.headersSent) {
    response.end("]");
    return;
  }
  setRetryAfter(response, answers);
  const statuses = new Set(answers.map(({ status }) => status));
  const [status = 200] = statuses;
  send(response, statuses.size > 1 ? 207 : status, `${text}]`, contentType);
}

/** tRPC's own notation: a head that names what will follow, then a line for each call. */
async function sendLines(response: ServerResponse, batch: Batch): Promise<void> {
  response.writeHead(200, { "Content-Type": contentType });
  response.write(`{${batch.calls.map((_, index) => `"${index}":[[0],[null,0,${index}]]`).join(",")}}\n`);
  for await (const { index, body } of workOff(response, batch)) {
    response.write(`[${index},0,[[${onOneLine(body)}]]]\n`);
    await taken(response);
  }
  response.end();
}

function setRetryAfter(response: ServerResponse, answers: readonly Answer[]): void {
  const seconds = answers.flatMap((answer) => (answer.error === undefined ? [] : (answer.retryAfterSeconds ?? [])));
  if (seconds.length > 0) response.setHeader("Retry-After", Math.max(...seconds));
}

/** Resolves when the reader has taken what was written, or is gone. */
async function taken(response: ServerResponse): Promise<void> {
  if (!response.writableNeedDrain || response.closed) return;
  await new Promise<void>((resolve) => {
    const settle = () => {
      response.off("drain", settle);
      response.off("close", settle);
      resolve();
    };
    response.on("drain", settle);
    response.on("close", settle);
  });
}
