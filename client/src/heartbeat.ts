/** Owns the question whether the server is still there. A browser does not show the server's own heartbeat, so the client asks. */

/** An answer that takes longer than this puts the connection in doubt. */
export const answerExpectedMs = 3_000;
/** A server that is well sends something at least this often, or is asked. */
const quietMs = 20_000;
const pongExpectedMs = 2_000;

export class Heartbeat {
  readonly #ask: () => void;
  readonly #onSilence: () => void;
  #state: "well" | "answer expected" | "asked" = "well";
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ask: () => void, onSilence: () => void) {
    this.#ask = ask;
    this.#onSilence = onSilence;
  }

  /** Something arrived. */
  readonly arrived = (): void => this.#set("well", quietMs, () => this.probe());

  /** Something was sent that the server answers at once. Later questions give the first one no more time. */
  readonly expectAnswer = (): void => {
    if (this.#state === "well") this.#set("answer expected", answerExpectedMs, () => this.probe());
  };

  /** Asks now; a question that is under way is not asked again. */
  readonly probe = (): void => {
    if (this.#state === "asked") return;
    this.#set("asked", pongExpectedMs, this.#onSilence);
    this.#ask();
  };

  readonly stop = (): void => {
    clearTimeout(this.#timer);
    this.#state = "well";
  };

  #set(state: "well" | "answer expected" | "asked", ms: number, next: () => void): void {
    clearTimeout(this.#timer);
    this.#state = state;
    this.#timer = setTimeout(next, ms);
  }
}
