import type { OutboxItem } from './outbox.js';
import type { ReceiptsMoved, ReceiptState } from './protocol.js';

/** Own messages whose way is followed; the oldest are let go of first. */
const FOLLOWED_MAX = 500;

type Step = 'delivered' | 'read';

/** Follows own messages from the log to others: first delivered, then read, by anybody. */
export class Progress {
  readonly #followed = new Map<string, OutboxItem>();

  constructor(
    private readonly port: Readonly<{
      userId: () => string;
      changed: (item: OutboxItem) => void;
    }>,
  ) {}

  /** A message is in the log. */
  sent(item: OutboxItem): void {
    this.#followed.set(item.id, item);
    const [oldest] = this.#followed.keys();
    if (oldest !== undefined && this.#followed.size > FOLLOWED_MAX) this.#followed.delete(oldest);
  }

  /** Marks have moved. */
  moved({ marks }: ReceiptsMoved): void {
    for (const { conversationId, userId, kind, seq } of marks)
      this.#reached(conversationId, userId, seq, kind);
  }

  /** Marks as they stand, after having been away. */
  stand(receipts: readonly ReceiptState[]): void {
    for (const { conversationId, userId, read, delivered } of receipts) {
      this.#reached(conversationId, userId, Math.max(-1, ...Object.values(delivered)), 'delivered');
      this.#reached(conversationId, userId, read, 'read');
    }
  }

  #reached(conversationId: string, userId: string, upTo: number, state: Step): void {
    if (userId === this.port.userId()) return;
    for (const [id, item] of this.#followed) {
      const { seq = Infinity } = item;
      if (item.conversationId !== conversationId || seq > upTo || item.state === state) continue;
      const next = { ...item, state };
      if (state === 'read') this.#followed.delete(id);
      else this.#followed.set(id, next);
      this.port.changed(next);
    }
  }
}
