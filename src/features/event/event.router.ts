/** The noun `event`: reading the log in pages, and following it. What can be in it is the whole server's catalogue. */
import type { TrackedEnvelope } from "@trpc/server";
import { z } from "zod";
import type { EventDefinition, EventUnion } from "../../core/events/event.ts";
import { ephemeralEvent, positionEvent } from "../../core/events/event.ts";
import type { Feeds } from "../../core/events/feeds.ts";
import { maxFilterChannels } from "../../core/limits.ts";
import { Cursor, Id, Limit } from "../../core/schema.ts";
import { readProcedure, router } from "../../core/trpc.ts";

const refreshPage = ephemeralEvent("refresh page", z.null(), "The served web app changed.");

/** Tells every reader that the served web app has changed. */
export function announceNewPage(feeds: Pick<Feeds, "announce">): void {
  feeds.announce(refreshPage.name, { name: refreshPage.name, payload: "null", channel_id: null });
}

/** What the stream says of itself. `ready` and `resync` carry an id too: the cursor they name. */
export const streamEvents = [
  positionEvent("ready", z.object({ cursor: Cursor }), "Caught up: what follows is live."),
  positionEvent(
    "resync",
    z.object({ reason: z.enum(["expired", "unknown", "malformed"]), cursor: Cursor }),
    "The given cursor cannot be continued: read again; what follows is live from this cursor.",
  ),
  refreshPage,
] as const;

const Channels = z.array(Id).min(1).max(maxFilterChannels).describe("Only events about these channels, and those about none.").optional();

function toSet(ids: number[] | undefined): ReadonlySet<number> | undefined {
  return ids && new Set(ids);
}

/** An item of a page: the log's events and `resync`, told apart by `event`. */
function pageItem(catalogue: readonly EventDefinition[]) {
  const [first, ...others] = catalogue.filter((event) => event.logged || event.name === "resync").map((event) => event.frame);
  if (!first) throw new Error("The catalogue of events is empty.");
  return z.discriminatedUnion("event", [first, ...others]).meta({ id: "EventPageItem" });
}

export function eventRouter<const Catalogue extends readonly EventDefinition[]>(catalogue: Catalogue) {
  type Item = EventUnion<Catalogue>;

  const list = readProcedure
    .meta({
      openapi: {
        method: "GET",
        path: "/event",
        tags: ["event"],
        summary: "Events after a cursor, as a page; as a stream with `Accept: text/event-stream`.",
      },
      large: true,
      rest: { errors: ["TOO_MANY_REQUESTS"] },
    })
    .input(
      z
        .object({
          cursor: z.string().describe("The last id seen. Missing: no events, and the head's cursor.").optional(),
          limit: Limit,
          channel_id: Channels,
        })
        .prefault({}),
    )
    .output(
      z
        .object({
          events: z.array(pageItem(catalogue) as unknown as z.ZodType<Item & { id: string }>),
          cursor: Cursor.describe("Continue from here. A page may be empty while this moves: go on until it stays."),
        })
        .meta({ id: "EventPage" }),
    )
    .query(
      ({ ctx, input: { cursor, limit, channel_id }, signal }) =>
        ctx.events.list({
          cursor,
          limit,
          channels: toSet(channel_id),
          address: ctx.origin.address,
          signal,
          isFresh: ctx.isFresh,
        }) as Promise<{
          events: (Item & { id: string })[];
          cursor: string;
        }>,
    );

  const follow = readProcedure
    .input(z.object({ channel_id: Channels, lastEventId: z.string().nullish() }).prefault({}))
    .subscription(({ ctx, input, signal }) =>
      ctx.events.follow<TrackedEnvelope<Item> | Item>({
        cursor: input.lastEventId ?? undefined,
        channels: toSet(input.channel_id),
        address: ctx.origin.address,
        signal,
        isFresh: ctx.isFresh,
      }),
    );

  return { event: router({ list }), events: follow };
}
