import { Injectable } from '@nestjs/common';
import {
  mayRead,
  memberKey,
  type FollowingView,
  type MemberView,
  type ReplyView,
  type ThreadView,
} from '#domain';
import { QUERIES, Views, type Stored } from '#platform';
import type { Page } from './inbox.js';
import type { TranscriptFact } from './shown-facts.js';
import { Transcript } from './transcript.js';

/** Unread replies are counted up to this; beyond it a client shows `99+`. */
const UNREAD_MAX = 100;

/** A thread that a person follows. */
export type ThreadItem = Readonly<{
  conversationId: string;
  /** The message that it hangs on. */
  messageId: string;
  replies: number;
  last: ThreadView['last'];
  repliers: readonly string[];
  /** Replies of others since it was read; at most 100 are counted. */
  unread: number;
  read: number;
}>;

/** The replies in a thread, in their order. */
export type ThreadPage = Page<TranscriptFact> &
  Readonly<{ follows: boolean; read: number; replies: number }>;

type Named = Readonly<{ conversationId: string; messageId: string }>;

const followingKey = (messageId: string, userId: string): string => `${messageId}:${userId}`;

/** What was said in answer to a message, and the threads that a person follows. */
@Injectable()
export class Threads {
  constructor(
    private readonly views: Views,
    private readonly transcript: Transcript,
  ) {}

  /** A page of a thread; the cursor is the seq to go on after. */
  async page(userId: string, named: Named, limit: number, after = -1): Promise<ThreadPage> {
    const { conversationId, messageId } = named;
    await this.transcript.message(userId, named);
    const { view, ...asked } = QUERIES.repliesAfter(messageId, after, limit);
    const found = await this.views.find<Stored<ReplyView>>(view, asked);
    const ids = found.map(({ _id }) => _id);
    const items = await this.transcript.named(userId, conversationId, ids);
    const [thread] = await this.views.get<ThreadView>('threads', [messageId]);
    const [own] = await this.views.get<FollowingView>('followings', [
      followingKey(messageId, userId),
    ]);
    const last = found.at(-1);
    return {
      items,
      follows: own?.follows ?? false,
      read: own?.read ?? -1,
      replies: thread?.replies ?? 0,
      ...(found.length === limit && last ? { cursor: String(last.seq) } : {}),
    };
  }

  /** A page of the threads that a person follows, the latest reply first. */
  async list(
    userId: string,
    limit: number,
    before = Number.MAX_SAFE_INTEGER,
  ): Promise<Page<ThreadItem>> {
    const { view, ...asked } = QUERIES.followingsOf(userId);
    const found = await this.views.find<FollowingView>(view, asked);
    const followed = new Map(
      found.filter(({ follows }) => follows).map((one) => [one.thread, one] as const),
    );
    const threads = await this.#readable(userId, [...followed.keys()]);
    const newest = threads
      .filter(({ position }) => position < before)
      .toSorted((one, other) => other.position - one.position);
    const page = newest.slice(0, limit);
    const items = page.map(async ({ _id, conversationId, replies, last, repliers }) => {
      const read = followed.get(_id)?.read ?? -1;
      const unread = last.seq > read ? await this.#unread(userId, _id, read) : 0;
      return { conversationId, messageId: _id, replies, last, repliers, unread, read };
    });
    const end = page.at(-1);
    return {
      items: await Promise.all(items),
      ...(newest.length > limit && end ? { cursor: String(end.position) } : {}),
    };
  }

  /** Threads in conversations that the person is in now. */
  async #readable(userId: string, ids: readonly string[]): Promise<readonly Stored<ThreadView>[]> {
    const checkpoint = await this.views.checkpoint('members');
    const threads = await this.views.get<ThreadView>('threads', ids);
    const rooms = new Set(threads.map(({ conversationId }) => memberKey(conversationId, userId)));
    const places = await this.views.get<MemberView>('members', [...rooms]);
    const stays = new Map(places.map((place) => [place.conversationId, place]));
    return threads.filter(({ conversationId, position }) => {
      const stay = stays.get(conversationId);
      return (
        stay?.role !== undefined && position <= checkpoint && mayRead(stay.intervals, position)
      );
    });
  }

  async #unread(userId: string, thread: string, read: number): Promise<number> {
    const { view, ...asked } = QUERIES.repliesAfter(thread, read, UNREAD_MAX);
    const found = await this.views.find<ReplyView>(view, asked);
    return found.filter(({ by }) => by !== userId).length;
  }
}
