import { Injectable } from '@nestjs/common';
import {
  UNARRANGED,
  beginOf,
  hiddenKey,
  memberKey,
  permissionsOf,
  type Permissions,
  type HiddenView,
  reject,
  type ArrangementView,
  type ConversationView,
  type Interval,
  type MemberView,
  type MentionView,
  type ReceiptView,
  type StoredEntry,
} from '#domain';
import { QUERIES, Views, type Stored } from '#platform';

/** How long a read waits for the read models to hold what it must answer (`behind` after it). */
export const READ_WITHIN_MS = 2_000;

/** Mentions that a list counts at most: an application shows that there are more. */
export const MENTIONS_MAX = 100;

/** How the person has it in their list. */
export type Arranged = Readonly<Omit<ArrangementView, 'conversationId' | 'userId'>>;

/** One conversation, as its member's list shows it. */
export type InboxItem = Readonly<{
  conversationId: string;
  kind: ConversationView['kind'];
  name?: string;
  members: number;
  role: NonNullable<MemberView['role']>;
  head: number;
  number: number;
  unread: number;
  /** Unread messages that mention the person or everybody, up to `MENTIONS_MAX`. */
  mentions: number;
  read: number;
  last?: NonNullable<ConversationView['last']>;
  updatedAt: string;
}> &
  Arranged;

/** A page, and how to ask for the next one. */
export type Page<Item> = Readonly<{ items: readonly Item[]; cursor?: string }>;

type Place = Stored<MemberView>;

/** A membership that lasts. */
type Staying = Place & Readonly<{ role: NonNullable<MemberView['role']> }>;

const isIn = (place: Place): place is Staying => place.role !== undefined;

type Ranked = Readonly<{ view: Stored<ConversationView>; rank: number }>;

/** The open one; urgent news; news; news of low priority; no news. */
const rankOf = (
  { _id, number, urgent = 0, plain = number }: Stored<ConversationView>,
  open: string | undefined,
  readNumber: number,
): number => {
  if (_id === open) return 0;
  if (urgent > readNumber) return 1;
  if (plain > readNumber) return 2;
  return number > readNumber ? 3 : 4;
};

const isAfter = ({ view, rank }: Ranked, cursor: string): boolean => {
  const [shownRank = 0, shownPosition = 0] = cursor.split('.').map(Number);
  return rank > shownRank || (rank === shownRank && view.position < shownPosition);
};

/** Of a message that the person deleted for themselves the list says nothing either. */
const unsaid = (
  view: Stored<ConversationView>,
  hidden: ReadonlySet<string>,
): Stored<ConversationView> =>
  view.last && hidden.has(view.last.messageId)
    ? { ...view, last: { ...view.last, text: '' } }
    : view;

/** The conversations a person is in, with what is new in them. */
@Injectable()
export class Inbox {
  constructor(private readonly views: Views) {}

  /** A page, newest first; the cursor is the place in the log of the last one shown. */
  async list(userId: string, limit: number, before = Number.MAX_SAFE_INTEGER) {
    const { places, views } = await this.#current(userId);
    const newest = views
      .filter(({ position }) => position < before)
      .toSorted((one, other) => other.position - one.position);
    const shown = newest.slice(0, limit);
    const items = await this.#items(userId, shown, places);
    const last = shown.at(-1);
    return newest.length > limit && last ? { items, cursor: String(last.position) } : { items };
  }

  /**
   * A page by what matters: the open conversation, those with urgent news, with news, with news of low
   * priority, the others; each by activity. The cursor is rank and place of the last one shown.
   */
  async ranked(
    userId: string,
    {
      limit,
      open,
      cursor = '',
    }: Readonly<{
      limit: number;
      open?: string | undefined;
      cursor?: string | undefined;
    }>,
  ): Promise<Page<InboxItem>> {
    const { places, views } = await this.#current(userId);
    const read = await this.#readNumbers(userId, views);
    const ranked = views
      .map((view) => ({ view, rank: rankOf(view, open, read.get(view._id) ?? 0) }))
      .filter((one) => cursor === '' || isAfter(one, cursor))
      .toSorted((one, other) => one.rank - other.rank || other.view.position - one.view.position);
    const shown = ranked.slice(0, limit);
    const items = await this.#items(
      userId,
      shown.map(({ view }) => view),
      places,
    );
    const last = shown.at(-1);
    return ranked.length > limit && last
      ? { items, cursor: `${last.rank}.${last.view.position}` }
      : { items };
  }

  async #readNumbers(
    userId: string,
    views: readonly Stored<ConversationView>[],
  ): Promise<ReadonlyMap<string, number>> {
    const keys = views.map(({ _id }) => memberKey(_id, userId));
    const marks = await this.views.get<ReceiptView>('receipts', keys);
    return new Map(marks.map((mark) => [mark.conversationId, mark.readNumber]));
  }

  /** Who may do what in one of them. */
  async permissions(userId: string, conversationId: string): Promise<Permissions> {
    const { views } = await this.#current(userId, conversationId);
    const [view] = views;
    if (!view) return reject('not_found', 'There is no such conversation, or you are not in it.');
    return permissionsOf({ permissions: view.permissions ?? {} });
  }

  /** One of them; `not_found` for who is not in it. */
  async one(userId: string, conversationId: string): Promise<InboxItem> {
    const { places, views } = await this.#current(userId, conversationId);
    const [item] = await this.#items(userId, views, places);
    return item ?? reject('not_found', 'There is no such conversation, or you are not in it.');
  }

  /**
   * Memberships and conversations of which the memberships are not the older ones: who was removed
   * sees nothing that came after.
   */
  async #current(userId: string, conversationId?: string) {
    const checkpoint = await this.views.checkpoint('members');
    let places = await this.#places(userId, conversationId);
    const views = await this.views.get<ConversationView>('conversations', [...places.keys()]);
    const newest = Math.max(-1, ...views.map(({ position }) => position));
    if (newest > checkpoint) {
      if (!(await this.views.reached(['members'], newest, READ_WITHIN_MS)))
        reject('behind', 'The lists are catching up; try again.');
      places = await this.#places(userId, conversationId);
    }
    return { places, views: views.filter(({ _id }) => places.has(_id)) };
  }

  async #places(userId: string, conversationId?: string) {
    const found =
      conversationId === undefined
        ? await this.views.find<MemberView>('members', QUERIES.placesOf(userId))
        : await this.views.get<MemberView>('members', [memberKey(conversationId, userId)]);
    return new Map(found.filter(isIn).map((place) => [place.conversationId, place] as const));
  }

  async #items(
    userId: string,
    views: readonly Stored<ConversationView>[],
    places: ReadonlyMap<string, Staying>,
  ): Promise<readonly InboxItem[]> {
    const keys = views.map(({ _id }) => memberKey(_id, userId));
    const marks = await this.views.get<ReceiptView>('receipts', keys);
    const arranged = await this.#arranged(keys);
    const byConversation = new Map(marks.map((mark) => [mark.conversationId, mark]));
    const hidden = await this.#hidden(userId, views);
    const items = views.map(async (view) => {
      const place = places.get(view._id);
      if (!place) return [];
      const item = await this.#item(unsaid(view, hidden), place, byConversation.get(view._id));
      return [{ ...item, ...(arranged.get(view._id) ?? UNARRANGED) }];
    });
    return (await Promise.all(items)).flat();
  }

  /** Last messages that the person deleted for themselves. */
  async #hidden(
    userId: string,
    views: readonly Stored<ConversationView>[],
  ): Promise<ReadonlySet<string>> {
    const keys = views.flatMap(({ last }) => (last ? [hiddenKey(userId, last.messageId)] : []));
    const found = await this.views.get<HiddenView>('hidden', keys);
    return new Set(found.map(({ messageId }) => messageId));
  }

  async #arranged(keys: readonly string[]): Promise<ReadonlyMap<string, Arranged>> {
    const found = await this.views.get<ArrangementView>('arrangements', keys);
    return new Map(
      found.map(({ _id, position: _position, conversationId, userId: _userId, ...kept }) => [
        conversationId,
        kept,
      ]),
    );
  }

  async #item(
    {
      _id,
      position: _position,
      startedAt: _startedAt,
      pins: _pins,
      called = -1,
      urgent: _urgent,
      plain: _plain,
      ...view
    }: Stored<ConversationView>,
    place: Staying,
    mark: Stored<ReceiptView> | undefined,
  ): Promise<Omit<InboxItem, keyof Arranged>> {
    const { read = -1, readNumber = 0 } = mark ?? {};
    const stay = place.intervals.at(-1);
    // A mark may have moved since by what was only delivered: the stay's beginning counts too.
    const isAsked = stay !== undefined && readNumber < view.number;
    const seen = isAsked ? await this.#numberBefore(_id, view.number, stay) : readNumber;
    const unread = Math.max(0, view.number - Math.max(seen, readNumber));
    const isCalled = stay !== undefined && called > read;
    const mentions = isCalled ? await this.#mentions(place, stay, read) : 0;
    return { conversationId: _id, ...view, role: place.role, unread, mentions, read };
  }

  async #mentions(whose: Staying, stay: Interval, seq: number): Promise<number> {
    const place = beginOf(stay);
    const { view, ...asked } = QUERIES.mentionsOf(whose, { seq, place }, MENTIONS_MAX);
    return (await this.views.find<MentionView>(view, asked)).length;
  }

  /** Messages before a stay began: they are not this person's to read. */
  async #numberBefore(conversationId: string, number: number, stay: Interval): Promise<number> {
    if (number === 0) return 0;
    const asked = QUERIES.messageBefore(conversationId, beginOf(stay));
    const [entry] = await this.views.find<StoredEntry>('history', asked);
    const before = entry?.data['number'];
    return typeof before === 'number' ? before : 0;
  }
}
