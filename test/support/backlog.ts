/** The bytes that the servers of this process have written to sockets and the kernel has not accepted yet. */
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

const sockets = new Set<Socket>();
let largest = 0;

subscribe("net.server.socket", (message) => {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
  const write = socket.write;
  // Read right after each write, so that no growth is missed.
  socket.write = ((...parameters: Parameters<typeof write>) => {
    const taken = write.apply(socket, parameters);
    largest = Math.max(largest, socket.writableLength);
    return taken;
  }) as typeof write;
});

/** The most that any one connection had waiting since the last call. */
export function largestBacklog(): number {
  const seen = largest;
  largest = 0;
  return seen;
}

/** How many connections have something waiting now. */
export function waitingConnections(): number {
  return [...sockets].filter(({ writableLength }) => writableLength > 0).length;
}

/** How many bytes wait now, for all clients together. */
export function totalBacklog(): number {
  return [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0);
}
