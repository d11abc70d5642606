import type { ConversationEvent } from '../conversation/events.js';
import type { Projection } from '../projection.js';

/** That words of an author were passed on to a conversation; id `<author>:<conversation>`. */
export type CopyView = Readonly<{ author: string; conversationId: string }>;

/** Where the words of people have got to: who is erased is erased there too. */
export const copies: Projection<CopyView, ConversationEvent> = {
  name: 'copies',
  streams: ['conversation-'],
  indexes: [{ key: { author: 1, conversationId: 1 } }],
  keysOf: ({ type, data }) =>
    type === 'MessageSent' && data.author !== undefined
      ? [`${data.author}:${data.conversationId}`]
      : [],
  evolve: (_, { data: { conversationId } }, key) => ({
    author: key.slice(0, key.indexOf(':')),
    conversationId,
  }),
};
