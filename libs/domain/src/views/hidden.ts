import type { OwnEvent } from '../own/events.js';
import type { Projection } from '../projection.js';

/** That a person deleted a message for themselves; id `<user>:<message>`. */
export type HiddenView = Readonly<{ userId: string; messageId: string }>;

/** The id of a hidden message's document. */
export const hiddenKey = (userId: string, messageId: string): string => `${userId}:${messageId}`;

/** One document per person and message that they deleted for themselves. */
export const hidden: Projection<HiddenView, OwnEvent> = {
  name: 'hidden',
  streams: ['own-'],
  indexes: [],
  keysOf: ({ type, data }) =>
    type === 'MessageHidden' || type === 'MessageUnhidden'
      ? [hiddenKey(data.userId, data.messageId)]
      : [],
  evolve: (before, { type, data }) => {
    if (type === 'MessageUnhidden') return undefined;
    if (type !== 'MessageHidden') return before;
    const { userId, messageId } = data;
    return { userId, messageId };
  },
};
