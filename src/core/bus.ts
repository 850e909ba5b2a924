/** Owns what a node may expect of the bus: messages arrive soon, in the order of each sender, at most once. Data that must not be lost does not use it. */
export interface Bus {
  /** Whether what is published reaches the other nodes, as far as is known. */
  readonly carries: boolean;
  /** Sends to every node, including this one. Never waits; the message is lost while the bus is away. */
  publish(topic: string, message: string): void;
  /** Calls back with each message; returns a function that stops it. */
  subscribe(topic: string, listener: (message: string) => void): () => void;
  close(): Promise<void>;
}
