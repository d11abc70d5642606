import { isAsCommitted, linkOf } from './proof.js';
import type { Fact } from './protocol.js';
import type { ScriptaStorage } from './storage.js';

/** What is wrong with what was shown: something is missing, was changed, or is another past. */
export type Breach = Readonly<{
  conversationId: string;
  /** The fact at which it was found. */
  seq: number;
  reason: 'gap' | 'altered' | 'forked';
}>;

/** How far a conversation is checked: the last fact, and the first of one's stay that was seen. */
type Head = Readonly<{ seq: number; since: number; link?: string }>;

const KEY = 'link:';

/** Whether a fact ends this person's stay, after which the next begins anew. */
const endsStay = ({ type, data }: Fact, userId: string): boolean =>
  (type === 'member.left' || type === 'member.removed') && data.userId === userId;

/** Whether two facts lie in what was shown of one stay, so that nothing between them may lack. */
const areWithin = (before: Fact, fact: Fact, head: Head | undefined): boolean =>
  head !== undefined && before.seq >= head.since && fact.seq <= head.seq;

/** Whether a fact carries the link of the one before it; the very first carries none. */
const follows = ({ seq, proof }: Fact, head: Head | undefined): boolean => {
  if (head) return head.link === undefined || proof?.prev === head.link;
  return seq > 0 || !proof || proof.prev === '';
};

const connects = (before: Fact, fact: Fact): boolean => {
  const link = linkOf(before);
  return link === undefined || fact.proof?.prev === link;
};

/**
 * Checks each conversation's rolling hash as facts are shown, from the first one of a stay on, and
 * keeps where it stands, so that the next run goes on from there.
 */
export class Chains {
  readonly #heads = new Map<string, Head>();
  readonly #changed = new Set<string>();

  constructor(
    private readonly port: Readonly<{
      userId: () => string;
      breach: (breach: Breach) => void;
    }>,
  ) {}

  /** Takes over where an earlier run stood. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    this.#heads.clear();
    for (const [key, head] of kept)
      // Written by `save` only.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (key.startsWith(KEY)) this.#heads.set(key.slice(KEY.length), head as Head);
  }

  /** Where each conversation stands. */
  *seqs(): Iterable<readonly [conversationId: string, seq: number]> {
    for (const [conversationId, { seq }] of this.#heads) yield [conversationId, seq];
  }

  /** Keeps what has changed since the last time. */
  save(storage: ScriptaStorage): void {
    for (const id of this.#changed) storage.put(`${KEY}${id}`, this.#heads.get(id));
    this.#changed.clear();
  }

  /** The log is another: everything begins anew. */
  reset(): void {
    for (const id of this.#heads.keys()) this.#changed.add(id);
    this.#heads.clear();
  }

  /** A fact is shown, the next of its conversation: it has to follow from the one before. */
  shown(fact: Fact): void {
    const { conversationId, seq, data } = fact;
    if (seq < 0) {
      // A follower's stays are told beside the conversation's order.
      if ('userId' in data && data.userId === this.port.userId()) this.#forget(conversationId);
      return;
    }
    const head = this.#heads.get(conversationId);
    this.#check(fact, head);
    if (endsStay(fact, this.port.userId())) return this.#forget(conversationId);
    const since = head?.seq === seq - 1 ? head.since : seq;
    const link = linkOf(fact);
    this.#heads.set(conversationId, { seq, since, ...(link === undefined ? {} : { link }) });
    this.#changed.add(conversationId);
  }

  /** A fact comes that was shown before: where it is the last one, it has to be the same. */
  repeated(fact: Fact): void {
    const head = this.#heads.get(fact.conversationId);
    if (head?.seq === fact.seq && head.link !== undefined && linkOf(fact) !== head.link)
      this.#breach(fact, 'forked');
  }

  /** A page of history: checked in itself, and against what was shown where the two meet. */
  read(facts: readonly Fact[]): void {
    let before: Fact | undefined;
    for (const fact of facts.filter(({ seq }) => seq >= 0)) {
      if (!isAsCommitted(fact)) this.#breach(fact, 'altered');
      if (before?.seq === fact.seq - 1) {
        if (!connects(before, fact)) this.#breach(fact, 'forked');
      } else if (before && areWithin(before, fact, this.#heads.get(fact.conversationId)))
        this.#breach(fact, 'gap');
      this.repeated(fact);
      before = fact;
    }
  }

  #check(fact: Fact, head: Head | undefined): void {
    if (!isAsCommitted(fact)) this.#breach(fact, 'altered');
    if (head && head.seq !== fact.seq - 1) this.#breach(fact, 'gap');
    else if (!follows(fact, head)) this.#breach(fact, 'forked');
  }

  #forget(conversationId: string): void {
    this.#heads.delete(conversationId);
    this.#changed.add(conversationId);
  }

  #breach({ conversationId, seq }: Fact, reason: Breach['reason']): void {
    this.port.breach({ conversationId, seq, reason });
  }
}
