/**
 * Owns every limit that a client can run into, its unit in its name. Those that can be set are variables of `config.ts`.
 * `test/docs/limits.test.ts` holds docs/limits.md against this file.
 */

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

// What a client sends.

/** A body, and a WebSocket frame. Ten thousand characters fit, each written as two escapes of JSON. */
export const maxBodyBytes = 128 * kibibyte;
/** The same as people read it. */
export const maxBodyText = `${maxBodyBytes / kibibyte} KiB`;
export const minUsernameCharacters = 2;
export const maxUsernameCharacters = 64;
export const minPasswordBytes = 8;
export const maxPasswordBytes = 1_024;
export const maxTitleCharacters = 64;
export const maxDescriptionCharacters = 1_000;
export const maxMessageCharacters = 10_000;
export const maxClientMessageIdCharacters = 64;
/** Rows or events on one page, unless the client asks for another number. */
export const defaultPageLength = 100;
export const maxPageLength = 200;
/** A page ends early where its answer would be larger. */
export const maxAnswerBytes = mebibyte;
/** Channels in one filter of events. */
export const maxFilterChannels = 100;
/** Calls in one tRPC batch, over HTTP and over WebSocket. */
export const maxBatchCalls = 100;
/** A call's id over tRPC's WebSocket: each frame of a subscription repeats it. */
export const maxCallIdCharacters = 64;
/** Fragments of one WebSocket frame. */
export const maxFrameFragments = 64;
/** Characters of a token: more than any token that the server makes. */
export const maxTokenCharacters = 1_024;

// How fast a client sends.

/** A client that sends more than MAX_FRAMES_PER_SECOND is closed after so many seconds, or at once where it sends as many at once. */
export const floodSeconds = 5;
/** Errors on a plain or Socket.IO socket within `errorWindowMs`; one more closes it. */
export const maxErrors = 20;
export const errorWindowMs = 10_000;
/** Commands that wait on a plain or Socket.IO socket. */
export const maxWaitingCommandBytes = 512 * kibibyte;
/** Requests that wait on one connection behind the one under way. */
export const maxPipelinedRequests = 200;
/** tRPC queries of one connection under way at once, as an answer may be a whole page; the others wait. */
export const maxQueriesAtOnce = 4;
/** Mutations of one tRPC batch over HTTP under way at once; the others wait. Fewer than passwords may wait for their hashing. */
export const maxMutationsAtOnce = 20;

// How long a client may take.

/** For a socket to send the connection parameters that it announced, or its token where reading needs one. */
export const identifyWithinMs = 10_000;
/** For the first byte on a new connection. */
export const firstByteWithinMs = 15_000;
export const headersWithinMs = 15_000;
export const requestWithinMs = 30_000;
/** Between two requests on one connection. */
export const keepAliveMs = 65_000;
/** Between two signs of life that the server sends, on every wire. A WebSocket that does not answer one before the next is ended. */
export const heartbeatMs = 15_000;
/** For the client's half of a close; then the connection is cut. */
export const closeWithinMs = 1_500;
/** An HTTP answer of which nothing is taken. */
export const unreadAnswerMs = 30_000;
/** A reader of events that is full. */
export const tooSlowMs = 60_000;
/** A subscription over HTTP other than `events`; it begins again by itself. With `renewalMs` less than the 35 s of a silent death. */
export const streamMs = 25_000;

// What waits for a client.

/** For one reader; the rest waits in the log. */
export const maxUnreadBytes = 256 * kibibyte;
/** For all clients of one address. */
export const maxUnreadBytesPerAddress = 16 * mebibyte;
/** For all clients. */
export const maxUnreadBytesInAll = 128 * mebibyte;

// What waits for the server.

/** Passwords that are hashed at once, and those that wait. */
export const maxHashing = 2;
export const maxWaitingForHashing = 32;

/** Changes that wait for the database; further ones are refused. */
export const maxWaitingChanges = 10_000;
export const maxWaitingChangeBytes = 64 * mebibyte;
/** A change that has waited for longer is refused when its turn comes: most clients have timed out, and work for them would delay the others. */
export const changeWaitMs = 5_000;
/** Pieces of the log that are read at once for readers that are behind, and the bytes of each. */
export const maxReplaysAtOnce = 2;
export const maxReplayBytes = 128 * kibibyte;

// What is kept.

/** Events younger than this are kept, and so many whatever their age. */
export const keptEventsMs = 72 * 3_600_000;
export const keptEvents = 100_000;

// Presence and typing.

/** Silence after which typing ends. */
export const typingMs = 6_000;
/** Between two announcements of one user's typing in one channel. */
export const typingPauseMs = 250;
/** Starts of typing of one user in all channels: so many at once, then one each interval. A stop is always announced. */
export const typingStarts = { burst: 10, intervalMs: 250 } as const;
/** Between two announcements of the users in one channel. */
export const movementPauseMs = 250;
/** The same where more than so many users are in it. */
export const crowdUsers = 500;
export const crowdPauseMs = 2_000;
/** Writes that announcements may cause within one pause: one to each reader. Those beyond wait for its end, and go out together. */
export const maxAnnouncementWrites = 1_000;
export const announcementPauseMs = 250;
/** Entries and exits of one user in all channels: so many at once, then one each interval. */
export const moves = { burst: 20, intervalMs: 250 } as const;
/** A user beyond that has to stay for so long to be announced. */
export const settleBeyondMovesMs = 700;
/** A user whose connection was lost, or whose page reloads, stays in the channel for so long. */
export const lingerMs = 1_000;
/** The same where the server has ended the stream: browsers wait for three to five seconds before they open it again. */
export const renewalMs = 8_000;
