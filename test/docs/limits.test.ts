/** Every limit of the source stands in docs/limits.md with its number, and the README repeats some of them. */
import { expect, test } from "vitest";
import * as limits from "../../src/core/limits.ts";
import { readDocument } from "../support/markdown.ts";

const {
  crowdPauseMs,
  crowdUsers,
  defaultPageLength,
  errorWindowMs,
  maxErrors,
  maxHashing,
  maxPageLength,
  maxWaitingForHashing,
  movementPauseMs,
  moves,
  typingPauseMs,
  typingStarts,
} = limits;
const small = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** As a sentence has it: one to ten in letters. */
function words(number: number): string {
  return small[number] ?? number.toLocaleString("en");
}

function size(bytes: number): string {
  const kibibytes = bytes / 1024;
  return kibibytes < 1024 ? `${kibibytes} KiB` : `${kibibytes / 1024} MiB`;
}

function seconds(milliseconds: number): string {
  return `${milliseconds / 1_000} seconds`;
}

function characters(max: number): string {
  return `${max.toLocaleString("en")} characters`;
}

/** What the page says of each. */
const said: Record<keyof typeof limits, string> = {
  maxBodyBytes: `| a request's body | ${size(limits.maxBodyBytes)}, else 413 |`,
  maxBodyText: `| a WebSocket frame | ${limits.maxBodyText}, else the socket is closed with 1009 |`,
  minUsernameCharacters: `| \`username\` | ${limits.minUsernameCharacters} to `,
  maxUsernameCharacters: ` to ${limits.maxUsernameCharacters} letters, digits, - or _,`,
  minPasswordBytes: `| \`password\` | ${limits.minPasswordBytes} to `,
  maxPasswordBytes: ` to ${limits.maxPasswordBytes} bytes of UTF-8;`,
  maxTitleCharacters: `| \`title\` | 1 to ${characters(limits.maxTitleCharacters)},`,
  maxDescriptionCharacters: `| \`description\` | At most ${characters(limits.maxDescriptionCharacters)} |`,
  maxMessageCharacters: `| \`message_text\` | 1 to ${characters(limits.maxMessageCharacters)},`,
  maxClientMessageIdCharacters: `| \`client_message_id\` | 1 to ${characters(limits.maxClientMessageIdCharacters)} |`,
  defaultPageLength: `; ${defaultPageLength} where it is missing |`,
  maxPageLength: `| \`limit\` | 1 to ${maxPageLength};`,
  maxAnswerBytes: `A page ends early where its answer would be larger than ${size(limits.maxAnswerBytes)}`,
  maxFilterChannels: `| channels in one filter | 1 to ${limits.maxFilterChannels} |`,
  maxBatchCalls: `| a tRPC batch | ${limits.maxBatchCalls} calls,`,
  maxCallIdCharacters: `| a call's id over tRPC's WebSocket | a number, or ${characters(limits.maxCallIdCharacters)} |`,
  maxFrameFragments: `| fragments of one WebSocket frame | ${limits.maxFrameFragments} |`,
  maxTokenCharacters: `| a token | ${characters(limits.maxTokenCharacters)}, else 401 |`,
  floodSeconds: `As many frames as are allowed in ${limits.floodSeconds} seconds,`,
  maxErrors: `More than ${maxErrors} errors within ${seconds(errorWindowMs)} close a plain or Socket.IO socket`,
  errorWindowMs: `errors within ${seconds(errorWindowMs)}`,
  maxWaitingCommandBytes: `socket take at most ${size(limits.maxWaitingCommandBytes)}.`,
  maxPipelinedRequests: `more than ${limits.maxPipelinedRequests} requests that wait behind an answer`,
  maxQueriesAtOnce: `At most ${words(limits.maxQueriesAtOnce)} queries`,
  maxMutationsAtOnce: `${words(limits.maxMutationsAtOnce)} mutations of one batch over HTTP`,
  identifyWithinMs: `has ${seconds(limits.identifyWithinMs)} to identify`,
  firstByteWithinMs: `${seconds(limits.firstByteWithinMs)} without a first byte`,
  headersWithinMs: `${seconds(limits.headersWithinMs)} for its headers`,
  requestWithinMs: `${seconds(limits.requestWithinMs)} for the whole of it`,
  keepAliveMs: `stays open for ${seconds(limits.keepAliveMs)}`,
  heartbeatMs: `every ${seconds(limits.heartbeatMs)}`,
  closeWithinMs: `${seconds(limits.closeWithinMs)} for its half of the close`,
  unreadAnswerMs: `nothing is taken for ${seconds(limits.unreadAnswerMs)} ends its connection`,
  tooSlowMs: `After ${seconds(limits.tooSlowMs)} of this`,
  streamMs: `other than \`events\` is ended after ${seconds(limits.streamMs)}`,
  maxUnreadBytes: `at most about ${size(limits.maxUnreadBytes)} for a reader`,
  maxUnreadBytesPerAddress: `Once ${size(limits.maxUnreadBytesPerAddress)} wait for the clients of one address`,
  maxUnreadBytesInAll: `once ${size(limits.maxUnreadBytesInAll)} wait for all clients`,
  maxHashing: `${words(maxHashing).replace("t", "T")} passwords are hashed at once`,
  maxWaitingForHashing: `hashed at once and ${maxWaitingForHashing} wait.`,
  typingMs: `after ${seconds(limits.typingMs)} of silence`,
  typingPauseMs: `typing is told at most every ${typingPauseMs} ms in a channel`,
  typingStarts: `${words(typingStarts.burst)} begin at once and ${words(1_000 / typingStarts.intervalMs)} a second after that`,
  movementPauseMs: `told at most every ${movementPauseMs} ms in a channel,`,
  crowdUsers: `in one of more than ${crowdUsers} people`,
  crowdPauseMs: `every ${crowdPauseMs / 1_000} s in one of more than`,
  // A change of channels is an exit and an entry.
  moves: `more than ${words(moves.burst / 2)} channels at once`,
  settleBeyondMovesMs: `where they stay for ${limits.settleBeyondMovesMs / 1_000} s, and ${words(1_000 / moves.intervalMs)} times a second elsewhere`,
  lingerMs: `stays in the channel for ${limits.lingerMs / 1_000} s`,
  renewalMs: `and for ${limits.renewalMs / 1_000} s where the server has ended the stream`,
};

test("docs/limits.md: every limit of the source", () => {
  const { text } = readDocument("docs/limits.md");
  expect(Object.keys(said).sort()).toEqual(Object.keys(limits).sort());
  for (const [name, sentence] of Object.entries(said)) expect(text, name).toContain(sentence);
});

test("README.md: the limits of its table", () => {
  const table = new Map(readDocument("README.md").table("what", "limit") as [string, string][]);
  expect(table.get("username")).toMatch(new RegExp(`^${limits.minUsernameCharacters} to ${limits.maxUsernameCharacters} of`));
  expect(table.get("password")).toBe(`${limits.minPasswordBytes} to ${limits.maxPasswordBytes.toLocaleString("en")} bytes`);
  expect(table.get("channel title, description")).toBe(
    `1 to ${characters(limits.maxTitleCharacters)}, at most ${limits.maxDescriptionCharacters.toLocaleString("en")}`,
  );
  expect(table.get("message text")).toBe(`1 to ${characters(limits.maxMessageCharacters)}`);
  expect(table.get("`client_message_id`")).toBe(`1 to ${characters(limits.maxClientMessageIdCharacters)}`);
  expect(table.get("body, WebSocket frame")).toBe(limits.maxBodyText);
  expect(table.get("tRPC batch")).toBe(`${limits.maxBatchCalls} calls`);
  expect(table.get("passwords at once")).toBe(`${maxHashing} are hashed and ${maxWaitingForHashing} wait; then 429`);
});
