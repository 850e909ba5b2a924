/** Owns the types of the server's definition. Here they are inferred; in the package the build writes them out, with their descriptions. */
import type { AppRouter, errorCodes, KeenchatEvent as WireEvent } from "../../src/api.ts";
import type { CallOptions } from "./call-options.ts";

type Call<Input, Output> =
  Record<never, never> extends Input
    ? (input?: Input, options?: CallOptions) => Promise<Output>
    : (input: Input, options?: CallOptions) => Promise<Output>;

type Types<Procedure> = Procedure extends { _def: { $types: { input: infer Input; output: infer Output } } }
  ? { input: Input; output: Output }
  : never;

type IsCall<Procedure> = Procedure extends { _def: { type: "subscription" } } ? false : true;

/** The server's router, for tRPC's own clients. */
export type { AppRouter } from "../../src/api.ts";

/** The nouns of the router, each with its procedures as plain functions. */
type Nouns<Record> = {
  [Noun in keyof Record as Record[Noun] extends { _def: unknown } ? never : Noun]: {
    [Verb in keyof Record[Noun] as IsCall<Record[Noun][Verb]> extends true ? Verb : never]: Call<
      Types<Record[Noun][Verb]>["input"],
      Types<Record[Noun][Verb]>["output"]
    >;
  };
};

/** Every query and mutation of the server. */
export type Calls = Nouns<AppRouter["_def"]["record"]>;

type WithId<Event> = Event extends { event: infer Name; data: infer Data } ? { event: Name; data: Data; id?: string } : never;

/** All events, distinguished by `event`. Events of the log have an `id`: a cursor to resume from. */
export type KeenchatEvent = WithId<WireEvent>;

/** The error codes of the server. */
export type ErrorCode = keyof typeof errorCodes;

type Output<Function_ extends (...args: never[]) => Promise<unknown>> = Awaited<ReturnType<Function_>>;
export type User = Output<Calls["user"]["get"]>;
export type Channel = Output<Calls["channel"]["get"]>;
export type Message = Output<Calls["message"]["get"]>;
export type Session = Output<Calls["auth"]["login"]>;
export type CurrentSession = Output<Calls["auth"]["session"]>;
export type ChannelUsers = Output<Calls["channel"]["users"]>;
