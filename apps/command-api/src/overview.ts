import { Injectable } from '@nestjs/common';
import type { Fact } from '#domain';
import { Inbox, type InboxItem, type Page } from './inbox.js';
import { Transcript, type MemberItem } from './transcript.js';

/** How much of it: conversations of a page, and of each so many facts and members. */
export type Extent = Readonly<{
  /** The conversation that is on the screen comes first. */
  open?: string | undefined;
  limit: number;
  facts: number;
  members: number;
  cursor?: string | undefined;
}>;

/** A conversation as a new device shows it: its place in the list, who is in it, its end. */
export type OverviewItem = InboxItem & Readonly<{ recent: Page<Fact>; people: Page<MemberItem> }>;

/** What a device that knows nothing needs first, in one pass: what matters most comes first. */
@Injectable()
export class Overview {
  constructor(
    private readonly inbox: Inbox,
    private readonly transcript: Transcript,
  ) {}

  /** A page: the open conversation, then those with something unread, then by activity. */
  async page(
    userId: string,
    { open, limit, facts, members, cursor }: Extent,
  ): Promise<Page<OverviewItem>> {
    const ranked = await this.inbox.ranked(userId, { limit, open, cursor });
    const items = ranked.items.map(async (item) => {
      const { conversationId } = item;
      const [recent, people] = await Promise.all([
        this.transcript.page(userId, conversationId, { limit: facts }),
        this.transcript.members(userId, conversationId, members),
      ]);
      return { ...item, recent, people };
    });
    return { ...ranked, items: await Promise.all(items) };
  }
}
