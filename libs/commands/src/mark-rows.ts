import { MARK_KINDS, receiptStreamOf, type Mark } from '#domain';

/** Marks that may wait for the log: about 20 MiB; beyond, delivered marks are let go. */
export const MARKS_WAITING_MAX = 65_536;
/** Marks remembered so that a repeat costs nothing; forgetting one costs a needless append. */
const REMEMBERED_MAX = 131_072;

/** How far something got, as a client says it. */
export type Marking = Readonly<{
  conversationId: string;
  userId: string;
  device: string;
  kind: (typeof MARK_KINDS)[number];
  seq: number;
}>;

const keyOf = ({ conversationId, userId, device, kind }: Marking): string =>
  kind === 'read' ? `${conversationId}:${userId}` : `${conversationId}:${userId}:${device}`;

/** Marks that wait for the next tick, by shard; of one register only the furthest. */
export class MarkRows {
  readonly #shards = new Map<string, Map<string, Mark>>();
  readonly #furthest = new Map<string, number>();
  size = 0;

  /** Whether this mark, or one further on, came before. */
  isBehind(marking: Marking): boolean {
    return (this.#furthest.get(keyOf(marking)) ?? -1) >= marking.seq;
  }

  /** Adds a mark that moves its register; `number` is the count of messages there. */
  add(marking: Marking, number: number): void {
    const { conversationId, userId, device, kind, seq } = marking;
    const key = keyOf(marking);
    this.#remember(key, seq);
    const stream = receiptStreamOf(conversationId);
    let rows = this.#shards.get(stream);
    if (!rows) this.#shards.set(stream, (rows = new Map()));
    if (!rows.has(key)) this.size += 1;
    rows.set(key, [conversationId, userId, device, MARK_KINDS.indexOf(kind), seq, number]);
  }

  /** Streams that have marks to append. */
  get streams(): readonly string[] {
    return [...this.#shards.keys()];
  }

  /** Takes a shard's marks out. */
  take(stream: string): readonly Mark[] {
    const rows = [...(this.#shards.get(stream)?.values() ?? [])];
    this.#shards.delete(stream);
    this.size -= rows.length;
    return rows;
  }

  #remember(key: string, seq: number): void {
    this.#furthest.delete(key);
    this.#furthest.set(key, seq);
    if (this.#furthest.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#furthest.keys();
    if (oldest !== undefined) this.#furthest.delete(oldest);
  }
}
