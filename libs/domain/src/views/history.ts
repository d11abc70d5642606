import type { Recorded } from '../decider.js';
import { factOf, type Fact, type HeardEvent } from '../facts.js';
import type { Origin } from '../outbox.js';
import type { Projection } from '../projection.js';
import { withoutText } from './messages.js';

/** One fact of a conversation, as it is paged through; the document's id is the fact's. */
export type HistoryEntry = Readonly<
  Omit<Fact, 'id' | 'v' | 'position'> & {
    /** The command it came from: device, place in its outbox, HMAC; answers a late repeat. */
    origin: Origin;
    /** Its place in the log; `position` is that of the last event that changed the document. */
    place: number;
  }
>;

/** A history document as it comes back from the store. */
export type StoredEntry = HistoryEntry & Readonly<{ _id: string; position: number }>;

/** An edit's text is kept with its message, so that deleting this leaves nothing anywhere. */
const kept = (event: Recorded<HeardEvent>): Omit<Fact, 'v' | 'id' | 'position'> => {
  const fact = factOf(event);
  const {
    v: _v,
    id: _id,
    position: _position,
    ...entry
  } = event.type === 'MessageEdited' ? withoutText(fact) : fact;
  return entry;
};

/** All facts of all conversations, one document each; of a deleted message without what it said. */
export const history: Projection<HistoryEntry, HeardEvent> = {
  name: 'history',
  streams: ['conversation-', 'audience-'],
  single: true,
  rewriting: ['MessageDeleted'],
  indexes: [{ key: { conversationId: 1, seq: 1 } }, { key: { conversationId: 1, place: 1 } }],
  keysOf: ({ id, type, data }) => (type === 'MessageDeleted' ? [id, data.messageId] : [id]),
  evolve: (before, event: Recorded<HeardEvent>, key) =>
    key === event.id
      ? { ...kept(event), origin: event.data.origin, place: event.position }
      : before && withoutText(before),
};

/** The fact that a history document holds. */
export const factFrom = ({
  _id,
  position: _position,
  origin: _origin,
  place,
  ...entry
}: StoredEntry): Fact => ({ v: 1, id: _id, ...entry, position: String(place) });
