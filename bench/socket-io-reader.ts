/** Owns a reader by Socket.IO's own client: what it gets is passed on as text frames, so that all readers are held against each other in one way. */
import { io } from "socket.io-client";
import { textFrame } from "../src/core/events/wires.ts";

/** Resolves once the client is connected; it has asked for `ready` then. */
export function openSocketIo(port: number, transport: "websocket" | "polling", onFrames: (frames: Buffer) => void): Promise<void> {
  const socket = io(`http://127.0.0.1:${port}`, { transports: [transport], forceNew: true, reconnection: false });
  socket.onAny((event: string, data: unknown) => onFrames(textFrame(JSON.stringify({ event, data }))));
  return new Promise((resolve, reject) => {
    socket.once("connect_error", reject);
    socket.once("connect", () => {
      socket.emit("connection");
      resolve();
    });
  });
}
