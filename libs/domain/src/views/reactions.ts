import type { Recorded } from '../decider.js';
import type { Projection } from '../projection.js';
import type { Reaction, ReceiptEvent } from '../receipts/events.js';

/** What people feel about one message; the document's id is the message's. */
export type ReactionsView = Readonly<{
  conversationId: string;
  /** The message's. */
  seq: number;
  /** The emoji of each person who has reacted. */
  by: Readonly<Record<string, string>>;
}>;

/** How often an emoji was chosen. */
export type ReactionCount = Readonly<{ emoji: string; count: number }>;

/** As many may react as hear of a message: what stood before is copied once for a whole tick. */
const reacted = (by: ReactionsView['by'], rows: readonly Reaction[]): ReactionsView['by'] => {
  const chosen = new Map(Object.entries(by));
  for (const [, userId, , , emoji] of rows)
    if (emoji === '') chosen.delete(userId);
    else chosen.set(userId, emoji);
  return Object.fromEntries(chosen);
};

/**
 * Only messages that somebody reacted to have a document. That a message was deleted is not folded
 * here, so that each document is of one stream; readers of `messages` know it.
 */
export const reactions: Projection<ReactionsView, ReceiptEvent> = {
  name: 'reactions',
  streams: ['receipts-'],
  indexes: [{ key: { conversationId: 1, position: 1 } }],
  keysOf: ({ type, data }: Recorded<ReceiptEvent>) =>
    type === 'ReactionsSet' ? [...new Set(data.reactions.map(([, , messageId]) => messageId))] : [],
  evolve: (before, { type, data }, key) => {
    if (type !== 'ReactionsSet') return before;
    const own = data.reactions.filter(([, , messageId]) => messageId === key);
    const [first] = own;
    if (!first) return before;
    const [conversationId, , , seq] = first;
    return { conversationId, seq, by: reacted(before?.by ?? {}, own) };
  },
};

/** How often each emoji was chosen, the most frequent first. */
export const countsOf = ({ by }: Pick<ReactionsView, 'by'>): readonly ReactionCount[] =>
  [...Map.groupBy(Object.values(by), (emoji) => emoji)]
    .map(([emoji, chosen]) => ({ emoji, count: chosen.length }))
    .toSorted((one, other) => other.count - one.count || (one.emoji < other.emoji ? -1 : 1));
