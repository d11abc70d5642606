import type { ConversationEvent, ConversationKind } from '../conversation/events.js';
import type { Projection } from '../projection.js';

/** Characters of the last message that a list shows: two lines on a phone. */
export const EXCERPT_CHARS_MAX = 200;

/** One conversation, as a list shows it. The document's id is the conversation's. */
export type ConversationView = Readonly<{
  kind: ConversationKind;
  name?: string;
  /** Members now (a broadcast's admins). */
  members: number;
  /** Seq of the last fact, and messages so far. */
  head: number;
  number: number;
  startedAt: string;
  updatedAt: string;
  last?: Readonly<{ messageId: string; seq: number; by: string; at: string; text: string }>;
}>;

const changed = (view: ConversationView, event: ConversationEvent): Partial<ConversationView> => {
  switch (event.type) {
    case 'ConversationStarted':
      return {};
    case 'MembersAdded':
      return { members: view.members + event.data.members.length };
    case 'MemberRemoved':
    case 'MemberLeft':
      return { members: view.members - 1 };
    case 'RoleChanged':
      return {};
    case 'ConversationRenamed':
      return { name: event.data.name };
    case 'MessageSent': {
      const { messageId, by, at, number } = event.data;
      // Cut between code points: half of a pair is not text.
      const text = Array.from(event.data.text.slice(0, 2 * EXCERPT_CHARS_MAX))
        .slice(0, EXCERPT_CHARS_MAX)
        .join('');
      return { number, last: { messageId, seq: view.head, by, at, text } };
    }
  }
};

/** One document per conversation: its last message and its counts. */
export const conversations: Projection<ConversationView, ConversationEvent> = {
  name: 'conversations',
  streams: ['conversation-'],
  indexes: [],
  keysOf: ({ data }) => [data.conversationId],
  evolve: (before, event) => {
    const { at } = event.data;
    const { kind, name } = event.type === 'ConversationStarted' ? event.data : { name: undefined };
    const view: ConversationView = {
      ...(before ?? {
        kind: kind ?? 'group',
        ...(name === undefined ? {} : { name }),
        members: 1,
        number: 0,
        startedAt: at,
      }),
      head: event.revision,
      updatedAt: at,
    };
    return { ...view, ...changed(view, event) };
  },
};
