import type { ConversationEvent } from '../conversation/events.js';
import type { Recorded } from '../decider.js';
import type { OwnEvent } from '../own/events.js';
import type { Projection } from '../projection.js';

/** People whom a list of threads shows as the latest to have replied. */
export const REPLIERS_SHOWN = 3;

/** A thread; the document's id is that of the message that it hangs on. */
export type ThreadView = Readonly<{
  conversationId: string;
  by: string;
  replies: number;
  last: Readonly<{ messageId: string; seq: number; by: string; at: string }>;
  /** The latest to have replied, the last one first. */
  repliers: readonly string[];
}>;

/** A reply in a thread; the document's id is the message's. */
export type ReplyView = Readonly<{
  conversationId: string;
  thread: string;
  seq: number;
  by: string;
  /** Its place in the log. */
  place: number;
}>;

/** How one person has a thread; id `<thread>:<user>`. */
export type FollowingView = Readonly<{
  conversationId: string;
  thread: string;
  userId: string;
  follows: boolean;
  /** Seq up to which it was read. */
  read: number;
}>;

/** Only messages on which a thread hangs have a document. */
export const threads: Projection<ThreadView, ConversationEvent> = {
  name: 'threads',
  streams: ['conversation-'],
  indexes: [],
  keysOf: ({ type, data }) =>
    type === 'MessageSent' && data.thread !== undefined ? [data.thread] : [],
  evolve: (before, { type, data, revision: seq }) => {
    if (type !== 'MessageSent') return before;
    const { conversationId, threadBy = '', messageId, by, at } = data;
    const others = (before?.repliers ?? []).filter((userId) => userId !== by);
    return {
      conversationId,
      by: threadBy,
      replies: (before?.replies ?? 0) + 1,
      last: { messageId, seq, by, at },
      repliers: [by, ...others].slice(0, REPLIERS_SHOWN),
    };
  },
};

/** One document per reply, to find those of a thread in their order. */
export const replies: Projection<ReplyView, ConversationEvent> = {
  name: 'replies',
  streams: ['conversation-'],
  single: true,
  indexes: [{ key: { thread: 1, seq: 1 } }],
  keysOf: ({ id, type, data }) => (type === 'MessageSent' && data.thread !== undefined ? [id] : []),
  evolve: (before, { type, data, revision: seq, position: place }) => {
    if (type !== 'MessageSent' || data.thread === undefined) return before;
    const { conversationId, thread, by } = data;
    return { conversationId, thread, seq, by, place };
  },
};

const followers = (event: Recorded<ConversationEvent | OwnEvent>): readonly string[] => {
  if (event.type === 'MessageSent') {
    const { thread, threadBy, by } = event.data;
    if (thread === undefined || threadBy === undefined) return [];
    return [...new Set([by, threadBy])].map((userId) => `${thread}:${userId}`);
  }
  const { type, data } = event;
  return type === 'ThreadFollowed' || type === 'ThreadUnfollowed' || type === 'ThreadRead'
    ? [`${data.messageId}:${data.userId}`]
    : [];
};

/** Who replies follows, and has read so far; who began it follows unless they said otherwise. */
export const followings: Projection<FollowingView, ConversationEvent | OwnEvent> = {
  name: 'followings',
  streams: ['conversation-', 'own-'],
  indexes: [{ key: { userId: 1, thread: 1 } }],
  keysOf: followers,
  evolve: (before, event, key) => {
    const at = key.indexOf(':');
    const [thread, userId] = [key.slice(0, at), key.slice(at + 1)];
    const { conversationId } = event.data;
    const isNew = {
      conversationId,
      thread,
      userId,
      follows: event.type === 'MessageSent',
      read: -1,
    };
    const view = before ?? isNew;
    switch (event.type) {
      case 'MessageSent':
        return event.data.by === userId ? { ...view, follows: true, read: event.revision } : view;
      case 'ThreadFollowed':
        return { ...view, follows: true };
      case 'ThreadUnfollowed':
        return { ...view, follows: false };
      case 'ThreadRead':
        return { ...view, read: Math.max(view.read, event.data.seq) };
      default:
        return before;
    }
  },
};
