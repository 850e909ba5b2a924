/** Owns what a message is before the server has it. */
export interface Outgoing {
  /** The `client_message_id`: the same at each try, so that the server keeps one. */
  readonly key: string;
  readonly channelId: number;
  readonly text: string;
  /** When it was written, by this page's clock. */
  readonly at: number;
  readonly state: "waiting" | "sending" | "refused";
  readonly reason?: string;
}
