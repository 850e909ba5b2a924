/** Owns the writers: they post until they are answered, with the same key each time, and try what must be refused. */
import type { Ledger } from "./ledger.ts";
import type { Random } from "./random.ts";

export interface Answer<Body> {
  readonly status: number;
  /** Where it says yes. */
  readonly body: Body;
}

export interface WriterOptions {
  readonly address: string;
  readonly tokens: readonly string[];
  readonly random: Random;
  readonly ledger: Ledger;
  /** Resolves to the number of the next message, or to undefined when there are enough. */
  readonly next: () => Promise<number | undefined>;
}

const patienceMs = 3_000;
const retryMs = 20;

/** Asks until there is an answer that says yes or no: lines break and servers die under it. */
export async function insist<Body>(address: string, path: string, token: string | undefined, body: unknown): Promise<Answer<Body>> {
  for (;;) {
    try {
      const response = await fetch(`http://${address}${path}`, {
        method: "POST",
        headers: { "content-type": "application/json", ...(token !== undefined && { authorization: `Bearer ${token}` }) },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patienceMs),
      });
      const answer = { status: response.status, body: (await response.json()) as Body };
      if (answer.status !== 429 && answer.status !== 503) return answer;
    } catch {
      // Nobody knows whether it was committed: the same again.
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
}

/** Mostly a line, now and then what fills sockets: up to 10,000 characters of three bytes each. */
function textOf(number: number, random: Random): string {
  const roll = random.next();
  const filler = roll < 0.02 ? "漢".repeat(9_900) : roll < 0.1 ? "x".repeat(random.between(500, 4_000)) : "";
  return `message ${number} ${filler}`.trimEnd();
}

export async function write({ address, tokens, random, ledger, next }: WriterOptions): Promise<void> {
  const post = (token: string, body: object) => insist<{ id: number }>(address, "/message", token, body);

  /** Every way a post can be refused; its text must never be seen. */
  async function tryRefused(token: string, number: number, key: string): Promise<void> {
    const text = `refused ${number}`;
    const [how, body] = random.pick([
      [404, { channel_id: 999_999, message_text: text }],
      [400, { channel_id: "1", message_text: text }],
      [401, { channel_id: 1, message_text: text }],
      [409, { channel_id: 1, message_text: text, client_message_id: key }],
    ] as const);
    ledger.refuse(text);
    const { status } = await post(how === 401 ? `${token}x` : token, body);
    if (status !== how) throw new Error(`What should be refused with ${how} was answered ${status}.`);
  }

  for (let number = await next(); number !== undefined; number = await next()) {
    const key = `key-${number}`;
    const token = random.pick(tokens);
    const text = textOf(number, random);
    const body = { channel_id: random.pick([1, 2]), message_text: text, client_message_id: key };
    const times = random.chance(0.03) ? 2 : 1;
    for (let time = 0; time < times; time += 1) {
      const answer = await post(token, body);
      if (answer.status === 200) ledger.repetitions += 1;
      else if (answer.status !== 201) throw new Error(`POST /message answered ${answer.status}: ${JSON.stringify(answer.body)}`);
      ledger.acknowledge(key, { id: answer.body.id, text });
    }
    if (random.chance(0.03)) await tryRefused(token, number, key);
  }
}
