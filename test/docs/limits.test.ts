/** Every limit of the source stands in docs/limits.md with its number, and the README repeats some of them. */
import { expect, test } from "vitest";
import * as limits from "../../src/core/limits.ts";
import { readDocument } from "../support/markdown.ts";

const small = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** As a sentence has it: up to ten in letters. */
function count(number: number): string {
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

/** Of each limit, what its line of the page is about, and the number that stands there. */
const lines: Record<keyof typeof limits, [about: string, number: string]> = {
  maxBodyBytes: ["a request's body", size(limits.maxBodyBytes)],
  maxBodyText: ["a WebSocket frame", limits.maxBodyText],
  minUsernameCharacters: ["`username`", `${limits.minUsernameCharacters} to`],
  maxUsernameCharacters: ["`username`", `to ${limits.maxUsernameCharacters} letters`],
  minPasswordBytes: ["`password`", `${limits.minPasswordBytes} to`],
  maxPasswordBytes: ["`password`", `to ${limits.maxPasswordBytes} bytes`],
  maxTitleCharacters: ["`title`", characters(limits.maxTitleCharacters)],
  maxDescriptionCharacters: ["`description`", characters(limits.maxDescriptionCharacters)],
  maxMessageCharacters: ["`message_text`", characters(limits.maxMessageCharacters)],
  maxClientMessageIdCharacters: ["`client_message_id`", characters(limits.maxClientMessageIdCharacters)],
  defaultPageLength: ["`limit`", `${limits.defaultPageLength} where it is missing`],
  maxPageLength: ["`limit`", `1 to ${limits.maxPageLength}`],
  maxAnswerBytes: ["A page", size(limits.maxAnswerBytes)],
  maxFilterChannels: ["channels in one filter", `1 to ${limits.maxFilterChannels}`],
  maxBatchCalls: ["a tRPC batch", `${limits.maxBatchCalls} calls`],
  maxCallIdCharacters: ["a call's id", characters(limits.maxCallIdCharacters)],
  maxFrameFragments: ["fragments", `${limits.maxFrameFragments}`],
  maxTokenCharacters: ["a token", characters(limits.maxTokenCharacters)],
  floodSeconds: ["frames", `${limits.floodSeconds} seconds`],
  maxErrors: ["Socket.IO", `${limits.maxErrors} errors`],
  errorWindowMs: ["errors", seconds(limits.errorWindowMs)],
  maxWaitingCommandBytes: ["commands", size(limits.maxWaitingCommandBytes)],
  maxPipelinedRequests: ["behind an answer", `${limits.maxPipelinedRequests} requests`],
  maxQueriesAtOnce: ["queries", count(limits.maxQueriesAtOnce)],
  maxMutationsAtOnce: ["batch", `${count(limits.maxMutationsAtOnce)} mutations`],
  identifyWithinMs: ["identify", seconds(limits.identifyWithinMs)],
  firstByteWithinMs: ["first byte", seconds(limits.firstByteWithinMs)],
  headersWithinMs: ["headers", seconds(limits.headersWithinMs)],
  requestWithinMs: ["A request", seconds(limits.requestWithinMs)],
  keepAliveMs: ["without a request", seconds(limits.keepAliveMs)],
  heartbeatMs: ["sign of life", seconds(limits.heartbeatMs)],
  closeWithinMs: ["close", seconds(limits.closeWithinMs)],
  unreadAnswerMs: ["an answer", seconds(limits.unreadAnswerMs)],
  tooSlowMs: ["4008", seconds(limits.tooSlowMs)],
  streamMs: ["subscription over HTTP", seconds(limits.streamMs)],
  maxUnreadBytes: ["a reader", size(limits.maxUnreadBytes)],
  maxUnreadBytesPerAddress: ["one address", size(limits.maxUnreadBytesPerAddress)],
  maxUnreadBytesInAll: ["all clients", size(limits.maxUnreadBytesInAll)],
  maxHashing: ["passwords", `${count(limits.maxHashing)} passwords`],
  maxWaitingForHashing: ["passwords", `${limits.maxWaitingForHashing} wait`],
  maxReplaysAtOnce: ["replays", `${count(limits.maxReplaysAtOnce)} pieces`],
  maxReplayBytes: ["pieces of the log", size(limits.maxReplayBytes)],
  maxWaitingChanges: ["for the database", `${limits.maxWaitingChanges.toLocaleString("en")} changes`],
  maxWaitingChangeBytes: ["for the database", size(limits.maxWaitingChangeBytes)],
  changeWaitMs: ["for the database", seconds(limits.changeWaitMs)],
  keptEventsMs: ["The event log", `${limits.keptEventsMs / 3_600_000} hours`],
  keptEvents: ["The event log", `${limits.keptEvents.toLocaleString("en")} events`],
  typingMs: ["Typing ends", seconds(limits.typingMs)],
  typingPauseMs: ["For one user, typing", `${limits.typingPauseMs} ms`],
  typingStarts: [
    "starts",
    `${count(limits.typingStarts.burst)} starts at once and ${count(1_000 / limits.typingStarts.intervalMs)} a second`,
  ],
  movementPauseMs: ["`channel movement`", `${limits.movementPauseMs} ms`],
  crowdUsers: ["`channel movement`", `${limits.crowdUsers} users`],
  crowdPauseMs: ["`channel movement`", `${limits.crowdPauseMs / 1_000} s`],
  // A change of channels is an exit and an entry.
  moves: ["channels at once", `${count(limits.moves.burst / 2)} channels`],
  settleBeyondMovesMs: ["channels at once", `${limits.settleBeyondMovesMs / 1_000} s`],
  lingerMs: ["connection is lost", `${limits.lingerMs / 1_000} s`],
  renewalMs: ["has ended the stream", `${limits.renewalMs / 1_000} s`],
  maxAnnouncementWrites: ["Typing and movements", `${limits.maxAnnouncementWrites.toLocaleString("en")} writes`],
  announcementPauseMs: ["Typing and movements", `every ${limits.announcementPauseMs} ms`],
};

test("docs/limits.md: every limit of the source", () => {
  const page = readDocument("docs/limits.md").text.split("\n");
  expect(Object.keys(lines).sort()).toEqual(Object.keys(limits).sort());
  for (const [name, [about, number]] of Object.entries(lines)) {
    const found = page.filter((line) => line.includes(about));
    // Whole: "5 seconds" is none of 15 seconds or 1.5 seconds.
    const whole = new RegExp(String.raw`(?<![\d.,])${number.replaceAll(".", "[.]")}(?!\d)`, "i");
    expect(found.some((line) => whole.test(line)) ? [] : found, `${name}: ${number}`).toEqual([]);
    expect(found.length, `${name}: ${about}`).toBeGreaterThan(0);
  }
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
  expect(table.get("passwords at once")).toBe(`${limits.maxHashing} are hashed and ${limits.maxWaitingForHashing} wait; then 429`);
});
