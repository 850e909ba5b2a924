/** Owns whose turn it is on a connection whose client does not wait for its answers: one request is under way, the rest wait on its side. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";

export class Turns {
  readonly #waiting = new WeakMap<Socket, (() => void)[]>();

  take({ socket }: IncomingMessage, response: ServerResponse, begin: () => void): void {
    const waiting = this.#waiting.get(socket);
    if (waiting) {
      socket.pause();
      waiting.push(() => this.#begin(socket, response, begin));
      return;
    }
    this.#waiting.set(socket, []);
    this.#begin(socket, response, begin);
  }

  #begin(socket: Socket, response: ServerResponse, begin: () => void): void {
    response.once("close", () => {
      const waiting = socket.destroyed ? undefined : this.#waiting.get(socket);
      const next = waiting?.shift();
      if (waiting?.length === 0) socket.resume();
      if (next) next();
      else this.#waiting.delete(socket);
    });
    begin();
  }
}
