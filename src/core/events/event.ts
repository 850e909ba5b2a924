/** Owns what an event is: a name, the shape of its data, and whether the log keeps it. */
import type { z } from "zod";

export interface EventDefinition<Name extends string = string, Data extends z.ZodType = z.ZodType> {
  readonly name: Name;
  readonly data: Data;
  /** Kept in the log, with an id to resume from. Otherwise its latest state is sent and nothing more. */
  readonly logged: boolean;
  readonly description: string;
}

/** Defines an event that is kept in the log. Its data goes out exactly as given to `append`. */
export function loggedEvent<const Name extends string, Data extends z.ZodType>(
  name: Name,
  data: Data,
  description: string,
): EventDefinition<Name, Data> {
  return { name, data, logged: true, description };
}

/** Defines an event of the moment: no id, no replay; a slow reader gets only the latest. */
export function ephemeralEvent<const Name extends string, Data extends z.ZodType>(
  name: Name,
  data: Data,
  description: string,
): EventDefinition<Name, Data> {
  return { name, data, logged: false, description };
}

/** What a reader receives of a catalogue of events: one union, told apart by `event`. */
export type EventUnion<Catalogue extends readonly EventDefinition[]> = {
  [Key in keyof Catalogue]: Catalogue[Key] extends EventDefinition<infer Name, infer Data> ? { event: Name; data: z.output<Data> } : never;
}[number];
