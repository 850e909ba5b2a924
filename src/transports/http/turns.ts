/** Owns the order of pipelined requests on one connection: one request is under way, the rest wait on the client's side. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import { maxPipelinedRequests } from "../../core/limits.ts";

/** What waits behind the request under way, by connection; none where nothing is. */
const waitingOn = new WeakMap<Duplex, (() => void)[]>();

/** Whether an answer is still to come on a connection, so that nothing else may be written to it. */
export function isUnderWay(socket: Duplex): boolean {
  return waitingOn.has(socket);
}

/** Begins a request when the one before it has been answered. */
export function takeTurn({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): void {
  const start = () => {
    response.once("close", next);
    begin();
  };
  const next = () => {
    const waiting = socket.destroyed ? undefined : waitingOn.get(socket);
    const following = waiting?.shift();
    if (waiting?.length === 0) socket.resume();
    // In a later turn of the event loop: answers that are taken at once would follow each other without a turn for anybody else.
    if (following) setImmediate(following);
    else waitingOn.delete(socket);
  };
  const waiting = waitingOn.get(socket);
  if (waiting) {
    if (waiting.length >= maxPipelinedRequests) {
      socket.destroy();
      return;
    }
    socket.pause();
    waiting.push(start);
    return;
  }
  waitingOn.set(socket, []);
  start();
}
