/** Owns what a node may expect of the way to the other nodes: soon, in each sender's order, at most once. Nothing that must not be lost goes here. */
export interface Bus {
  /** Whether what is published reaches the other nodes, as far as is known. */
  readonly carries: boolean;
  /** Sends to every node, this one included. Lost where the bus is away; never waits. */
  publish(topic: string, message: string): void;
  /** Calls back with each message; returns the way to stop. */
  subscribe(topic: string, listener: (message: string) => void): () => void;
  close(): Promise<void>;
}
