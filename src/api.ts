/** The table of contents: every noun's procedures, every event, every error. */

import type { EventUnion } from "./core/events/event.ts";
import { mergeRouters, router } from "./core/trpc.ts";
import { authRouter } from "./features/auth/auth.router.ts";
import { channelEvents, channelRouter } from "./features/channel/channel.router.ts";
import { eventRouter, streamEvents } from "./features/event/event.router.ts";
import { messageEvents, messageRouter } from "./features/message/message.router.ts";
import { presenceEvents } from "./features/presence/presence.events.ts";
import { presenceRouter } from "./features/presence/presence.router.ts";
import { userEvents, userRouter } from "./features/user/user.router.ts";

export { errorCodes } from "./core/errors.ts";

/** Every event a client can receive. */
export const catalogue = [...userEvents, ...channelEvents, ...messageEvents, ...presenceEvents, ...streamEvents] as const;

export const appRouter = router({
  auth: authRouter,
  user: userRouter,
  channel: mergeRouters(channelRouter, presenceRouter),
  message: messageRouter,
  ...eventRouter(catalogue),
});

export type AppRouter = typeof appRouter;
export type KeenchatEvent = EventUnion<typeof catalogue>;
