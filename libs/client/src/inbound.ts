import type { Chains } from './chains.js';
import type {
  Fact,
  Place,
  ReactionsSet,
  ReactionState,
  ReceiptsMoved,
  ReceiptState,
  ResumePage,
} from './protocol.js';
import type { Seen } from './seen.js';

/** What the inbound side tells the application, and asks of the wire. */
export type InboundPort = Readonly<{
  fact: (fact: Fact) => void;
  receiptsMoved: (moved: ReceiptsMoved) => void;
  receipts: (receipts: readonly ReceiptState[]) => void;
  reactionsSet: (set: ReactionsSet) => void;
  reactions: (reactions: readonly ReactionState[]) => void;
  /** Facts of its conversation after a seq and before this fact, as far as one may read them. */
  fill: (fact: Fact, after: number) => Promise<readonly Fact[]>;
  /** Everything up to here has been shown. */
  reached: (place: Place) => void;
  /** Everything of a page has been shown, up to a position; `cursor` is where to resume. */
  paged: (position: string, cursor: string) => void;
  chains: Pick<Chains, 'shown' | 'repeated'>;
  seen: Pick<Seen, 'show' | 'count'>;
}>;

type Work =
  | Readonly<{ kind: 'fact'; fact: Fact }>
  | Readonly<{ kind: 'moved'; moved: ReceiptsMoved }>
  | Readonly<{ kind: 'set'; set: ReactionsSet }>
  | Readonly<{ kind: 'reactions'; reactions: readonly ReactionState[] }>
  | Readonly<{ kind: 'receipts'; receipts: readonly ReceiptState[] }>
  | Readonly<{ kind: 'cursor'; position: string; cursor: string }>;

/** Ids of facts outside a conversation's order that are remembered, to drop repeats. */
const IDS_MAX = 1_024;

/**
 * Shows each fact once and in order. What comes is queued as it comes, and worked off in step; a
 * hole in a conversation is filled from history before anything after it is shown.
 */
export class Inbound {
  readonly #seqs = new Map<string, number>();
  readonly #ids = new Set<string>();
  #queue: Work[] = [];
  #isWorking = false;
  /** Raised by a reset: what was asked before it is no longer waited for. */
  #epoch = 0;

  constructor(private readonly port: InboundPort) {}

  /** An earlier run has shown these conversations so far. */
  restore(seqs: Iterable<readonly [conversationId: string, seq: number]>): void {
    for (const [conversationId, seq] of seqs) this.#seqs.set(conversationId, seq);
  }

  /** A fact has arrived live. */
  fact(fact: Fact): void {
    this.#add({ kind: 'fact', fact });
  }

  /** Marks have moved. */
  moved(moved: ReceiptsMoved): void {
    this.#add({ kind: 'moved', moved });
  }

  /** Somebody has reacted. */
  reacted(set: ReactionsSet): void {
    this.#add({ kind: 'set', set });
  }

  /** A page has arrived; what comes live after it is queued behind it. */
  page({ facts, receipts, reactions = [], cursor }: ResumePage, position: string): void {
    for (const fact of facts) this.#queue.push({ kind: 'fact', fact });
    if (receipts.length > 0) this.#queue.push({ kind: 'receipts', receipts });
    if (reactions.length > 0) this.#queue.push({ kind: 'reactions', reactions });
    this.#add({ kind: 'cursor', position, cursor });
  }

  /** The log is another: what was known of places in it is void. */
  reset(): void {
    this.#epoch += 1;
    this.#seqs.clear();
    this.#ids.clear();
    this.#queue = [];
  }

  #add(work: Work): void {
    this.#queue.push(work);
    if (!this.#isWorking) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      if (next.kind !== 'fact') this.#note(next);
      else if (this.#isHole(next.fact)) await this.#fill(next.fact);
      else this.#show(next.fact);
    }
    this.#isWorking = false;
  }

  #note(work: Exclude<Work, { kind: 'fact' }>): void {
    switch (work.kind) {
      case 'moved':
        this.port.receiptsMoved(work.moved);
        return this.port.reached(work.moved);
      case 'set':
        this.port.reactionsSet(work.set);
        return this.port.reached(work.set);
      case 'reactions':
        return this.port.reactions(work.reactions);
      case 'receipts':
        return this.port.receipts(work.receipts);
      case 'cursor':
        return this.port.paged(work.position, work.cursor);
    }
  }

  #isHole({ conversationId, seq }: Fact): boolean {
    const last = this.#seqs.get(conversationId);
    return last !== undefined && seq > last + 1;
  }

  async #fill(fact: Fact): Promise<void> {
    const epoch = this.#epoch;
    const missed = await this.port.fill(fact, this.#seqs.get(fact.conversationId) ?? -1);
    if (epoch !== this.#epoch) return;
    for (const earlier of missed) this.#show(earlier, false);
    this.#show(fact);
  }

  #show(fact: Fact, isInOrder = true): void {
    if (this.#isRepeat(fact)) this.port.chains.repeated(fact);
    else {
      this.port.chains.shown(fact);
      this.port.seen.show(fact);
      this.port.fact(fact);
    }
    this.port.seen.count(fact);
    if (isInOrder) this.port.reached(fact);
  }

  #isRepeat({ id, conversationId, seq }: Fact): boolean {
    if (seq >= 0) {
      if (seq <= (this.#seqs.get(conversationId) ?? -1)) return true;
      this.#seqs.set(conversationId, seq);
      return false;
    }
    if (this.#ids.has(id)) return true;
    this.#ids.add(id);
    if (this.#ids.size > IDS_MAX) {
      const [oldest] = this.#ids;
      if (oldest !== undefined) this.#ids.delete(oldest);
    }
    return false;
  }
}
