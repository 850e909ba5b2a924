/** Owns what an event is: a name, the shape of its data, whether the log keeps it, and whether it carries a position. */
import { z } from "zod";
import { Cursor, typeName } from "../schema.ts";

export interface EventDefinition<Name extends string = string, Data extends z.ZodType = z.ZodType> {
  readonly name: Name;
  readonly data: Data;
  /** Kept in the log, with an id to resume from. Otherwise its latest state is sent and nothing more. */
  readonly logged: boolean;
  /** What a reader gets: the name, the data, and the id where there is one. */
  readonly frame: z.ZodObject;
  readonly description: string;
}

/** The same shape with a name of its own, where it is an object that has none. */
function named<Data extends z.ZodType>(data: Data, name: string): Data {
  const isNamed = z.globalRegistry.get(data)?.id !== undefined || !(data instanceof z.ZodObject);
  return isNamed ? data : data.meta({ id: typeName(name, "Data") });
}

/** The form on wires without their own form for a name: `{ event, data }`, and `id` if the event has a position. */
export function frame(kind: string, name: string, data: z.ZodType, description: string, options: { id?: boolean } = {}): z.ZodObject {
  return z
    .object({ ...(options.id && { id: Cursor }), event: z.literal(name), data: named(data, name) })
    .meta({ id: typeName(name, kind), description });
}

function define<const Name extends string, Data extends z.ZodType>(
  name: Name,
  shape: Data,
  description: string,
  { logged, id }: { logged: boolean; id: boolean },
): EventDefinition<Name, Data> {
  const data = named(shape, name);
  return { name, data, logged, frame: frame("Event", name, data, description, { id }), description };
}

/** Defines an event that is kept in the log. Its data goes out exactly as given to `append`. */
export function loggedEvent<const Name extends string, Data extends z.ZodType>(
  name: Name,
  data: Data,
  description: string,
): EventDefinition<Name, Data> {
  return define(name, data, description, { logged: true, id: true });
}

/** Defines an ephemeral event: no id, no replay; a slow reader gets only the latest state. */
export function ephemeralEvent<const Name extends string, Data extends z.ZodType>(
  name: Name,
  data: Data,
  description: string,
): EventDefinition<Name, Data> {
  return define(name, data, description, { logged: false, id: false });
}

/** Defines an event about the position of a stream: its id is that position, and it is not in the log. */
export function positionEvent<const Name extends string, Data extends z.ZodType>(
  name: Name,
  data: Data,
  description: string,
): EventDefinition<Name, Data> {
  return define(name, data, description, { logged: false, id: true });
}

/** The events of a catalogue as a reader gets them: one union, distinguished by `event`. */
export type EventUnion<Catalogue extends readonly EventDefinition[]> = {
  [Key in keyof Catalogue]: Catalogue[Key] extends EventDefinition<infer Name, infer Data> ? { event: Name; data: z.output<Data> } : never;
}[number];
