import type { Recorded } from '../decider.js';
import { factOf, type Fact, type HeardEvent } from '../facts.js';
import type { Origin } from '../outbox.js';
import type { Projection } from '../projection.js';

/** One fact of a conversation, as it is paged through; the document's id is the fact's. */
export type HistoryEntry = Readonly<
  Omit<Fact, 'id' | 'v' | 'position'> & {
    /** The command it came from: device, place in its outbox, HMAC; answers a late repeat. */
    origin: Origin;
  }
>;

/** A history document as it comes back from the store. */
export type StoredEntry = HistoryEntry & Readonly<{ _id: string; position: number }>;

/** All facts of all conversations, one document each. */
export const history: Projection<HistoryEntry, HeardEvent> = {
  name: 'history',
  streams: ['conversation-', 'audience-'],
  single: true,
  indexes: [{ key: { conversationId: 1, seq: 1 } }, { key: { conversationId: 1, position: 1 } }],
  keysOf: (event) => [event.id],
  evolve: (_, event: Recorded<HeardEvent>) => {
    const { v: _v, id: _id, position: _position, ...entry } = factOf(event);
    return { ...entry, origin: event.data.origin };
  },
};

/** The fact that a history document holds. */
export const factFrom = ({ _id, position, origin: _origin, ...entry }: StoredEntry): Fact => ({
  v: 1,
  id: _id,
  ...entry,
  position: String(position),
});
