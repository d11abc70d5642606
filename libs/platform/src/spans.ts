import type { ViewIndex } from '#domain';

/** The collection of `operations` that holds a document per connection of a device. */
export const SPANS = 'spans';
/** Beats of the nodes that write spans: a span of a node that beats no more is over. */
export const SPAN_NODES = 'span-nodes';
/** How a device's spans are found, and those that changed lately or long ago. */
export const SPAN_INDEXES: readonly ViewIndex[] = [
  { key: { at: 1 } },
  { key: { userId: 1, at: 1 } },
];
/** Milliseconds between beats of a node, and after how many without one it is taken for dead. */
export const SPAN_BEAT_MS = 5_000;
/** See `SPAN_BEAT_MS`. */
export const SPAN_NODE_DEAD_MS = 15_000;

/**
 * What an SDK says that it has shown to its application, up to a position: `count` facts of
 * conversations' orders, whose ids' XOR is `ids` (32 hex digits), `disorder` of them not after the
 * one before. It began to count at `from`.
 */
export type Seen = Readonly<{ from: string; count: number; ids: string; disorder: number }>;

/**
 * A stretch of the log (after `from`, up to and with `to`) that a device was told, in pages of a
 * resume or live by its socket.
 */
export type Stretched = Readonly<{
  path: 'sync' | 'socket';
  from: number;
  to: number;
  /** When it was last known to grow, in ms since the epoch, to the second. */
  at: number;
}>;

/**
 * One connection of a device: what it was told by which path, and what it said arrived. Written at
 * most once a second, so a crash of the node loses what changed in its last one.
 */
export type Span = Readonly<{
  _id: string;
  userId: string;
  deviceId: string;
  /** The run of the process that holds the connection. */
  node: string;
  /** Times are in ms since the epoch. */
  openedAt: number;
  path: readonly Stretched[];
  /** Position of the last thing told, and of the last acknowledgement; -1 before. */
  told: number;
  acknowledged: number;
  /** Whether it is told things as they happen. */
  live: boolean;
  seen?: Seen & Readonly<{ upTo: number }>;
  at: number;
  closedAt?: number;
  reason?: string;
}>;
