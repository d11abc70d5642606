import { receiptStreamOf, type Reaction } from '#domain';
import type { WaitingRows } from './ticks.js';

/** Reactions remembered so that a repeat costs nothing; forgetting one costs a needless append. */
const REMEMBERED_MAX = 65_536;

const keyOf = ([, userId, messageId]: Reaction): string => `${messageId}:${userId}`;

/** Reactions that wait for the next tick, by shard; of a person and message only the last. */
export class ReactionRows implements WaitingRows<Reaction> {
  readonly #shards = new Map<string, Map<string, Reaction>>();
  /** What is in the log, by person and message. */
  readonly #kept = new Map<string, string>();
  size = 0;

  /** Whether just this is in the log already, and nothing else waits to overwrite it. */
  isKept(row: Reaction): boolean {
    const key = keyOf(row);
    const [conversationId, , , , emoji] = row;
    if (this.#shards.get(receiptStreamOf(conversationId))?.has(key)) return false;
    return this.#kept.get(key) === emoji;
  }

  /** Adds a reaction; gives the stream in whose next tick it goes out. */
  add(row: Reaction): string {
    const [conversationId] = row;
    const stream = receiptStreamOf(conversationId);
    let rows = this.#shards.get(stream);
    if (!rows) this.#shards.set(stream, (rows = new Map()));
    const key = keyOf(row);
    if (!rows.has(key)) this.size += 1;
    rows.set(key, row);
    // What is on its way may come to the log in between.
    this.#kept.delete(key);
    return stream;
  }

  get streams(): readonly string[] {
    return [...this.#shards.keys()];
  }

  take(stream: string): readonly Reaction[] {
    const rows = [...(this.#shards.get(stream)?.values() ?? [])];
    this.#shards.delete(stream);
    this.size -= rows.length;
    return rows;
  }

  kept(rows: readonly Reaction[]): void {
    for (const row of rows) {
      const [, , , , emoji] = row;
      const key = keyOf(row);
      this.#kept.delete(key);
      this.#kept.set(key, emoji);
      if (this.#kept.size <= REMEMBERED_MAX) continue;
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined) this.#kept.delete(oldest);
    }
  }

  lost(rows: readonly Reaction[]): void {
    for (const row of rows) this.#kept.delete(keyOf(row));
  }
}
