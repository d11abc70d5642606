import type { ConversationEvent } from '../conversation/events.js';
import type { Recorded } from '../decider.js';
import type { Projection } from '../projection.js';

/** Stands for everybody among those whom a message mentions. */
export const EVERYBODY = 'all';

/** Whom a message mentions, as it says now; the document's id is the message's. */
export type MentionView = Readonly<{
  conversationId: string;
  seq: number;
  /** Its place in the log; of a mention that an edit brought, that of the edit. */
  place: number;
  /** People, or `EVERYBODY`. */
  who: readonly string[];
}>;

type Saying = Readonly<{ mentions?: readonly string[]; notify?: 'all' }>;

/** Everybody whom a message means. */
export const meantBy = ({ mentions = [], notify }: Saying): readonly string[] =>
  notify === undefined ? mentions : [...mentions, EVERYBODY];

const keysOf = ({ type, data }: Recorded<ConversationEvent>): readonly string[] => {
  if (type === 'MessageSent') return meantBy(data).length > 0 ? [data.messageId] : [];
  return type === 'MessageEdited' || type === 'MessageDeleted' ? [data.messageId] : [];
};

/** One document for each message that mentions somebody; none for others, and none per member. */
export const mentions: Projection<MentionView, ConversationEvent> = {
  name: 'mentions',
  streams: ['conversation-'],
  indexes: [{ key: { conversationId: 1, seq: 1 } }],
  keysOf,
  evolve: (before, { type, data, revision, position }) => {
    if (type !== 'MessageSent' && type !== 'MessageEdited') return undefined;
    const who = meantBy(data);
    if (who.length === 0) return undefined;
    const seq = type === 'MessageSent' ? revision : data.messageSeq;
    const { conversationId } = data;
    return { conversationId, seq, place: before?.place ?? position, who };
  },
};
