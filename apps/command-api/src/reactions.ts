import { Injectable } from '@nestjs/common';
import { mayRead, memberKey, type MemberView, type MessageView, type ReactionsView } from '#domain';
import { Views } from '#platform';
import type { Page } from './inbox.js';
import { Transcript } from './transcript.js';

/** Who reacted, and with what. */
export type ReactionItem = Readonly<{ userId: string; emoji: string }>;

/** What people feel about a message. */
@Injectable()
export class Reactions {
  constructor(
    private readonly views: Views,
    private readonly transcript: Transcript,
  ) {}

  /** A page of those who reacted, by user id; nothing of what came after the reader had left. */
  async page(
    userId: string,
    named: Readonly<{ conversationId: string; messageId: string }>,
    limit: number,
    after = '',
  ): Promise<Page<ReactionItem>> {
    const { message } = await this.transcript.message(userId, named);
    const [view] = await this.views.get<ReactionsView>('reactions', [message._id]);
    const [changed] = await this.views.get<MessageView>('messages', [message._id]);
    const key = memberKey(named.conversationId, userId);
    const [stay] = await this.views.get<MemberView>('members', [key]);
    if (!view || changed?.deleted || !mayRead(stay?.intervals ?? [], view.position))
      return { items: [] };
    const later = Object.entries(view.by)
      .filter(([id]) => id > after)
      .toSorted(([one], [other]) => (one < other ? -1 : 1));
    const items = later.slice(0, limit).map(([id, emoji]) => ({ userId: id, emoji }));
    const last = items.at(-1);
    return later.length > limit && last ? { items, cursor: last.userId } : { items };
  }
}
