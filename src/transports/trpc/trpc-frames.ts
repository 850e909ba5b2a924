/** Owns the frames that a tRPC client sends over WebSocket: their form, and how they are read. https://trpc.io/docs/rpc */
import { AppError } from "../../core/errors.ts";
import { maxCallIdCharacters } from "../../core/limits.ts";
import type { Target } from "../http/gate.ts";

export type RpcId = number | string;

interface Asked {
  readonly id: RpcId;
  /** Sent back as it came. */
  readonly jsonrpc: "2.0" | undefined;
  readonly path: string;
  readonly input: unknown;
}

export type CallFrame = Asked & { readonly method: "query" | "mutation" };
export type SubscriptionFrame = Asked & { readonly method: "subscription" };
export type TrpcFrame = CallFrame | SubscriptionFrame | { readonly id: RpcId; readonly method: "subscription.stop" };

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether the client says it will send its connection parameters first. */
export function announcesParams(target: Target): boolean {
  return target.query.get("connectionParams")?.[0] === "1";
}

/** Whether a socket's first frame is tRPC's: a frame, or a batch of them, with a `method` and no `event`. */
export function isTrpcFrame(text: string): boolean {
  try {
    const frame: unknown = JSON.parse(text);
    const first: unknown = Array.isArray(frame) ? frame[0] : frame;
    return isObject(first) && typeof first["method"] === "string" && !("event" in first);
  } catch {
    return false;
  }
}

/** The id that an answer to a frame can carry. */
export function idOf(frame: unknown): RpcId | null {
  const id = isObject(frame) ? frame["id"] : undefined;
  return typeof id === "number" || (typeof id === "string" && id.length <= maxCallIdCharacters) ? id : null;
}

/** @throws AppError BAD_REQUEST where a frame makes no sense. */
export function readFrame(frame: unknown): TrpcFrame {
  if (!isObject(frame)) throw new AppError("BAD_REQUEST", "A frame must be an object.");
  const { method, jsonrpc, params } = frame;
  const id = idOf(frame);
  if (id === null) throw new AppError("BAD_REQUEST", `An id must be a number, or a string of at most ${maxCallIdCharacters} characters.`);
  if (method === "subscription.stop") return { id, method };
  if (method !== "query" && method !== "mutation" && method !== "subscription")
    throw new AppError("BAD_REQUEST", "The method must be query, mutation, subscription or subscription.stop.");
  if (jsonrpc !== undefined && jsonrpc !== "2.0") throw new AppError("BAD_REQUEST", "jsonrpc must be 2.0, or be left out.");
  if (!isObject(params) || typeof params["path"] !== "string")
    throw new AppError("BAD_REQUEST", "The params must be an object that names a path.");
  const { path, input, lastEventId } = params;
  if (lastEventId !== undefined && typeof lastEventId !== "string") throw new AppError("BAD_REQUEST", "lastEventId must be a string.");
  const resumed = lastEventId === undefined ? input : { ...(isObject(input) ? input : {}), lastEventId };
  return { id, jsonrpc, method, path, input: method === "subscription" ? resumed : input };
}
