/** Owns what this page remembers of a user from visit to visit: drafts, and the channel looked at last. */
const memory = new Map<string, string>();

/** Without storage, or room in it, what is kept lasts as long as the page. */
function read(key: string): string | undefined {
  if (memory.has(key)) return memory.get(key);
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string): void {
  memory.delete(key);
  try {
    if (value === "") localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    memory.set(key, value);
  }
}

export class Kept {
  readonly #prefix: string;

  constructor(userId: number) {
    this.#prefix = `keenchat.${userId}`;
  }

  draft(channelId: number): string {
    return read(`${this.#prefix}.draft.${channelId}`) ?? "";
  }

  setDraft(channelId: number, text: string): void {
    write(`${this.#prefix}.draft.${channelId}`, text);
  }

  get lastChannel(): number | undefined {
    return Number(read(`${this.#prefix}.channel`)) || undefined;
  }

  set lastChannel(id: number | undefined) {
    write(`${this.#prefix}.channel`, id === undefined ? "" : String(id));
  }
}
