import type { Fact, PageOf, Positioned, Thread } from './protocol.js';
import type { Query, Rest } from './rest.js';

/** A thread that one follows. */
export type FollowedThread = Thread &
  Readonly<{
    conversationId: string;
    /** The message that it hangs on. */
    messageId: string;
    /** Replies of others since one read it; at most 100 are counted. */
    unread: number;
    read: number;
  }>;

/** The replies in a thread, oldest first, and how one has it. */
export type ThreadPage = PageOf<Fact> &
  Readonly<{ follows: boolean; read: number; replies: number }>;

/** What is said in answer to messages, beside the conversation. Say it by `send` with `thread`. */
export class Threads {
  constructor(private readonly rest: Rest) {}

  /** A page of the replies; its cursor is where to go on. */
  page(conversationId: string, messageId: string, query: Query = {}): Promise<ThreadPage> {
    return this.rest.get(at(conversationId, messageId), query);
  }

  /** Threads that one follows, the latest reply first. Who replies, or began one, follows it. */
  followed(query: Query = {}): Promise<PageOf<FollowedThread>> {
    return this.rest.get('/v1/me/threads', query);
  }

  follow(conversationId: string, messageId: string): Promise<Positioned> {
    return this.rest.send('PUT', `${at(conversationId, messageId)}/following`);
  }

  unfollow(conversationId: string, messageId: string): Promise<Positioned> {
    return this.rest.send('DELETE', `${at(conversationId, messageId)}/following`);
  }

  /** Says how far one has read; it only moves forward. */
  read(conversationId: string, messageId: string, seq: number): Promise<Positioned> {
    return this.rest.send('POST', `${at(conversationId, messageId)}/read`, { seq });
  }
}

const at = (conversationId: string, messageId: string): string =>
  `/v1/conversations/${conversationId}/messages/${messageId}/thread`;
