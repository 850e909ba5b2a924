/** Owns the check that the server still answers. A browser does not expose WebSocket pings, so the client sends its own. */

/** An answer that takes longer than this puts the connection in doubt. */
export const answerExpectedMs = 3_000;
/** A healthy server sends something at least this often; otherwise the client probes it. */
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

  /** A frame was sent that the server answers at once. Later ones do not extend the time of the first. */
  readonly expectAnswer = (): void => {
    if (this.#state === "well") this.#set("answer expected", answerExpectedMs, () => this.probe());
  };

  /** Probes now, unless a probe is under way. */
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
