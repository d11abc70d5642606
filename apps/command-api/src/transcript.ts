import { Injectable } from '@nestjs/common';
import {
  factFrom,
  isAtLeast,
  mayRead,
  memberKey,
  reject,
  type ConversationView,
  type Interval,
  type MemberView,
  type ShownVersion,
  type MessageView,
  shownRead,
  type ReceiptView,
  type StoredEntry,
  versionOf,
} from '#domain';
import { QUERIES, Views, type Query, type Stored } from '#platform';
import type { Page } from './inbox.js';
import { shownFacts, type TranscriptFact } from './shown-facts.js';

/** Which part of a conversation: exclusive seqs; without either, its end. */
export type Span = Readonly<{
  before?: number | undefined;
  after?: number | undefined;
  limit: number;
}>;

/** A message at the top of a conversation. */
export type PinItem = Readonly<{
  messageId: string;
  pinnedBy: string;
  pinnedAt: string;
  message: TranscriptFact;
}>;

/** A member as others see them. */
export type MemberItem = Readonly<{
  userId: string;
  role: string;
  joinedAt: string;
  /** Who brought them in; oneself, where one came. */
  addedBy: string;
}>;

/** Somebody who was in it, or is banned. */
export type FormerMemberItem = Readonly<
  Omit<MemberItem, 'role'> & { status: 'left' | 'removed' | 'banned'; bannedUntil?: string }
>;

/** Whether a message reached a member, and whether they saw it. */
export type ReceiptItem = Readonly<{ userId: string; delivered: boolean; read: boolean }>;

/** What a message said at a time. */
export type VersionItem = ShownVersion;

type Named = Readonly<{ conversationId: string; messageId: string }>;
type Bounds = Readonly<{ from: number; to: number }>;

const absent = (): never =>
  reject('not_found', 'There is no such conversation, or you are not in it.');

const deliveredTo = ({ delivered }: ReceiptView): number =>
  Math.max(-1, ...Object.values(delivered));

/** What was said in a conversation, as far as the reader was there. */
@Injectable()
export class Transcript {
  constructor(private readonly views: Views) {}

  /** A page of facts in the order of seq; the cursor is the seq to go on from. */
  async page(userId: string, conversationId: string, span: Span): Promise<Page<TranscriptFact>> {
    // Read before the membership: nothing above it may be shown, for it may come after a removal.
    const checkpoint = await this.#checkpoint();
    const { intervals } = await this.#stayOf(userId, conversationId);
    const bounds = await this.#bounds(conversationId, span, checkpoint);
    const isForward = span.after !== undefined;
    const entries: StoredEntry[] = [];
    for (const stay of isForward ? intervals : intervals.toReversed()) {
      const limit = span.limit - entries.length;
      if (limit > 0)
        entries.push(...(await this.#within(conversationId, stay, bounds, { limit, isForward })));
    }
    const facts = (isForward ? entries : entries.toReversed()).map(factFrom);
    const maySee = (position: number) => position <= checkpoint && mayRead(intervals, position);
    const items = await shownFacts(this.views, userId, facts, maySee);
    const edge = isForward ? items.at(-1) : items[0];
    return entries.length === span.limit && edge ? { items, cursor: String(edge.seq) } : { items };
  }

  /** Messages by their ids, as far as the reader was there for them; in the order that is asked. */
  async named(
    userId: string,
    conversationId: string,
    ids: readonly string[],
  ): Promise<readonly TranscriptFact[]> {
    const checkpoint = await this.#checkpoint();
    const { intervals } = await this.#stayOf(userId, conversationId);
    const maySee = (position: number) => position <= checkpoint && mayRead(intervals, position);
    const found = await this.views.get<StoredEntry>('history', ids);
    const entries = new Map(found.map((entry) => [entry._id, entry]));
    const facts = ids.flatMap((id) => {
      const entry = entries.get(id);
      const isThere = entry?.conversationId === conversationId && maySee(entry.place);
      return isThere ? [factFrom(entry)] : [];
    });
    return shownFacts(this.views, userId, facts, maySee);
  }

  /** The pinned messages that the reader may read, the latest pin first. */
  async pins(userId: string, conversationId: string): Promise<readonly PinItem[]> {
    await this.#mustBeIn(userId, conversationId);
    const [view] = await this.views.get<ConversationView>('conversations', [conversationId]);
    const pins = (view?.pins ?? []).toReversed();
    const ids = pins.map(({ messageId }) => messageId);
    const messages = await this.named(userId, conversationId, ids);
    const shown = new Map(messages.map((message) => [message.id, message]));
    return pins.flatMap(({ messageId, by: pinnedBy, at: pinnedAt }) => {
      const message = shown.get(messageId);
      return message ? [{ messageId, pinnedBy, pinnedAt, message }] : [];
    });
  }

  /** A page of the people who are in it now, by user id; followers of a broadcast stay unnamed. */
  async members(
    userId: string,
    conversationId: string,
    limit: number,
    after = '',
  ): Promise<Page<MemberItem>> {
    await this.#mustBeIn(userId, conversationId);
    const found = await this.#membersAfter(conversationId, after, limit);
    const items = found.flatMap(({ userId: member, role, joinedAt, addedBy }) =>
      role === undefined || role === 'follower'
        ? []
        : [{ userId: member, role, joinedAt, addedBy }],
    );
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: last.userId } : { items };
  }

  /** A page of those who were in it or are banned; `forbidden` to those who do not look after it. */
  async formerMembers(
    userId: string,
    conversationId: string,
    limit: number,
    after = '',
  ): Promise<Page<FormerMemberItem>> {
    const { role } = await this.#stayOf(userId, conversationId);
    if (role === undefined || role === 'follower') return absent();
    if (!isAtLeast(role, 'moderator'))
      reject('forbidden', 'Only those who look after the group see who was in it.');
    const found = await this.#membersAfter(conversationId, after, limit);
    const items = found.flatMap(({ userId: member, status, joinedAt, addedBy, bannedUntil }) => {
      if (status === undefined) return [];
      const former = { userId: member, status, joinedAt, addedBy };
      return [bannedUntil === undefined ? former : { ...former, bannedUntil }];
    });
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: last.userId } : { items };
  }

  /** Whom a message reached and who saw it, by page; only its author may ask. */
  async receipts(
    userId: string,
    { conversationId, messageId }: Readonly<{ conversationId: string; messageId: string }>,
    limit: number,
    after = '',
  ): Promise<Page<ReceiptItem>> {
    const message = await this.ownMessage(userId, { conversationId, messageId });
    const found = await this.#membersAfter(conversationId, after, limit);
    const items = await this.#receiptsOf(message, found);
    const last = found.at(-1);
    return found.length === limit && last ? { items, cursor: last.userId } : { items };
  }

  /** All that a message has said, as far as the reader was there; nothing once it was deleted. */
  async versions(userId: string, named: Named): Promise<readonly VersionItem[]> {
    const checkpoint = await this.#checkpoint();
    const { message, intervals } = await this.message(userId, named);
    const [view] = await this.views.get<MessageView>('messages', [named.messageId]);
    if (view?.deleted) return [];
    const { seq, at } = message;
    const { text, content } = message.data;
    const first = { seq, at, text: String(text) };
    const later = (view?.versions ?? []).filter(
      ({ position }) => position <= checkpoint && mayRead(intervals, position),
    );
    return [typeof content === 'string' ? { ...first, content } : first, ...later.map(versionOf)];
  }

  /** Up to here it is known who was there, and what became of what was said. */
  async #checkpoint(): Promise<number> {
    const { views } = this;
    const both = [views.checkpoint('members'), views.checkpoint('messages')];
    return Math.min(...(await Promise.all(both)));
  }

  /** A message of one's own; `forbidden` for those of others, `not_found` where one may not look. */
  async ownMessage(userId: string, named: Named): Promise<Stored<StoredEntry>> {
    const { message } = await this.message(userId, named);
    if (message.actor !== userId) reject('forbidden', 'Only its author sees who got a message.');
    return message;
  }

  /** A message that the reader was there for; `not_found` for all others. */
  async message(userId: string, { conversationId, messageId }: Named) {
    const { intervals } = await this.#stayOf(userId, conversationId);
    const [message] = await this.views.get<StoredEntry>('history', [messageId]);
    const isThere =
      message?.conversationId === conversationId &&
      message.type === 'message.sent' &&
      mayRead(intervals, message.place);
    return isThere ? { message, intervals } : reject('not_found', 'There is no such message.');
  }

  async #receiptsOf(
    { conversationId, seq, place, actor }: StoredEntry,
    members: readonly Stored<MemberView>[],
  ): Promise<readonly ReceiptItem[]> {
    const heard = members.filter(
      (member) => member.userId !== actor && mayRead(member.intervals, place),
    );
    const keys = heard.map((member) => memberKey(conversationId, member.userId));
    const found = await this.views.get<ReceiptView>('receipts', keys);
    const marks = new Map(found.map((mark) => [mark.userId, mark]));
    return heard.map(({ userId }) => {
      const mark = marks.get(userId);
      const read = mark !== undefined && shownRead(mark).read >= seq;
      return { userId, delivered: read || (mark !== undefined && deliveredTo(mark) >= seq), read };
    });
  }

  async #stayOf(userId: string, conversationId: string): Promise<Stored<MemberView>> {
    const key = memberKey(conversationId, userId);
    const [place] = await this.views.get<MemberView>('members', [key]);
    return place ?? absent();
  }

  async #mustBeIn(userId: string, conversationId: string): Promise<void> {
    const { role } = await this.#stayOf(userId, conversationId);
    if (role === undefined) absent();
  }

  #membersAfter(conversationId: string, after: string, limit: number) {
    const asked = QUERIES.membersAfter(conversationId, after, limit);
    return this.views.find<MemberView>('members', asked);
  }

  /** The span as places in the log, both inclusive; never above the memberships' checkpoint. */
  async #bounds(conversationId: string, span: Span, checkpoint: number): Promise<Bounds> {
    const { before, after } = span;
    const first =
      after === undefined ? 0 : await this.#placeOf(QUERIES.factAfterSeq(conversationId, after));
    const last =
      before === undefined
        ? checkpoint
        : await this.#placeOf(QUERIES.factBeforeSeq(conversationId, before));
    return { from: first ?? Number.MAX_SAFE_INTEGER, to: Math.min(last ?? -1, checkpoint) };
  }

  async #placeOf(asked: Query): Promise<number | undefined> {
    const [entry] = await this.views.find<StoredEntry>('history', asked);
    return entry?.place;
  }

  async #within(
    conversationId: string,
    stay: Interval,
    bounds: Bounds,
    { limit, isForward }: Readonly<{ limit: number; isForward: boolean }>,
  ): Promise<readonly StoredEntry[]> {
    const from = Math.max(stay.from, bounds.from);
    const to = Math.min(stay.to ?? bounds.to, bounds.to);
    if (from > to) return [];
    const direction = isForward ? 1 : -1;
    const asked = QUERIES.factsWithin(conversationId, { from, to }, direction, limit);
    return this.views.find<StoredEntry>('history', asked);
  }
}
