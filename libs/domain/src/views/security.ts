import type { Projection } from '../projection.js';
import type { UserEvent } from '../user/events.js';
import { noticeOf, type Notice } from '../user/notices.js';

/** One notice of a person's security feed; id is the event's. */
export type NoticeEntry = Readonly<
  Omit<Notice, 'v' | 'id' | 'position'> & {
    userId: string;
  }
>;

/** What happened to accounts, one document each. */
export const security: Projection<NoticeEntry, UserEvent> = {
  name: 'security',
  streams: ['user-'],
  single: true,
  indexes: [{ key: { userId: 1, position: -1 } }],
  keysOf: (event) => (noticeOf(event) ? [event.id] : []),
  evolve: (_, event) => {
    const notice = noticeOf(event);
    if (!notice) return undefined;
    const { v: _v, id: _id, position: _position, ...entry } = notice;
    return { userId: event.data.userId, ...entry };
  },
};
