import { loggedKind, markKindOf, receiptStreamOf, type Mark, type MarkKind } from '#domain';

/** Marks that may wait for the log: about 20 MiB; beyond, delivered marks are let go. */
export const MARKS_WAITING_MAX = 65_536;
/** Marks remembered so that a repeat costs nothing; forgetting one costs a needless append. */
const REMEMBERED_MAX = 131_072;

/** How far something got, as a client says it. */
export type Marking = Readonly<{
  conversationId: string;
  userId: string;
  device: string;
  kind: MarkKind;
  seq: number;
  /** Only the person's own devices are told. */
  isPrivate?: boolean;
}>;

const keyOf = ({ conversationId, userId, device, kind }: Marking): string =>
  kind === 'read' ? `${conversationId}:${userId}` : `${conversationId}:${userId}:${device}`;

const seqOf = ([, , , , seq]: Mark): number => seq;

const keyOfRow = ([conversationId, userId, device, kind, seq]: Mark): string =>
  keyOf({ conversationId, userId, device, seq, kind: markKindOf(kind) });

/** How far a register was asked to move, and how far it has moved in the log. */
type Known = { asked: number; kept: number };

/** Marks that wait for the next tick, by shard; of one register only the furthest. */
export class MarkRows {
  readonly #shards = new Map<string, Map<string, Mark>>();
  readonly #known = new Map<string, Known>();
  size = 0;

  /** Whether this mark, or one further on, was added before; it may still wait for the log. */
  isAsked(marking: Marking): boolean {
    return (this.#known.get(keyOf(marking))?.asked ?? -1) >= marking.seq;
  }

  /** Whether this mark, or one further on, is in the log. */
  isKept(marking: Marking): boolean {
    return (this.#known.get(keyOf(marking))?.kept ?? -1) >= marking.seq;
  }

  /** Adds a mark; `number` is the count of messages there. Of one register the furthest waits. */
  add(marking: Marking, number: number): void {
    const { conversationId, userId, device, kind, seq, isPrivate } = marking;
    const key = keyOf(marking);
    this.#remember(key, ({ asked, kept }) => ({ asked: Math.max(asked, seq), kept }));
    const stream = receiptStreamOf(conversationId);
    let rows = this.#shards.get(stream);
    if (!rows) this.#shards.set(stream, (rows = new Map()));
    const waiting = rows.get(key);
    if (waiting && seqOf(waiting) >= seq) return;
    if (!waiting) this.size += 1;
    rows.set(key, [conversationId, userId, device, loggedKind(kind, isPrivate), seq, number]);
  }

  /** Streams that have marks to append. */
  get streams(): readonly string[] {
    return [...this.#shards.keys()];
  }

  /** Takes a shard's marks out; each is to be `kept` or `lost` afterwards. */
  take(stream: string): readonly Mark[] {
    const rows = [...(this.#shards.get(stream)?.values() ?? [])];
    this.#shards.delete(stream);
    this.size -= rows.length;
    return rows;
  }

  /** These are in the log. */
  kept(marks: readonly Mark[]): void {
    for (const mark of marks) {
      const seq = seqOf(mark);
      this.#remember(keyOfRow(mark), ({ asked, kept }) => ({
        asked: Math.max(asked, seq),
        kept: Math.max(kept, seq),
      }));
    }
  }

  /** These did not get there: whoever asks again is not told that they did. */
  lost(marks: readonly Mark[]): void {
    for (const mark of marks) this.#remember(keyOfRow(mark), ({ kept }) => ({ asked: kept, kept }));
  }

  #remember(key: string, change: (known: Known) => Known): void {
    const known = change(this.#known.get(key) ?? { asked: -1, kept: -1 });
    this.#known.delete(key);
    this.#known.set(key, known);
    if (this.#known.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}
