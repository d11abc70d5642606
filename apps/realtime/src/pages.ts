import {
  countsOf,
  factFrom,
  hiddenKey,
  mayRead,
  messageOf,
  shownFact,
  withoutText,
  type ConversationView,
  type Fact,
  type HiddenView,
  type Interval,
  type MemberView,
  type MessageView,
  type ReactionCount,
  type ReactionsView,
  shownRead,
  type ReceiptView,
  type StoredEntry,
} from '#domain';
import { QUERIES, type Checkpoint, type Stored, type ViewQuery, type Views } from '#platform';
import { isFor } from './deliveries.js';

/** Facts one page holds at most (abuse 52). */
export const PAGE_FACTS_MAX = 200;
/** Receipts one page holds: the newest; a device away for longer asks for those it shows. */
const PAGE_RECEIPTS_MAX = 1_000;
/** Messages with new reactions that one page holds: the newest. */
const PAGE_REACTIONS_MAX = 200;

/** How far one member has got, as clients know it. */
export type ReceiptState = Readonly<
  Omit<ReceiptView, 'at' | 'shown'> & {
    /** Place in the log, a decimal string. */
    position: string;
  }
>;

/** What is felt about one message, as the person who asks is told. */
export type ReactionState = Readonly<{
  conversationId: string;
  messageId: string;
  seq: number;
  counts: readonly ReactionCount[];
  /** The person's own. */
  mine?: string;
}>;

/** A piece of what a device missed. */
export type Page = Readonly<{
  facts: readonly Fact[];
  receipts: readonly ReceiptState[];
  reactions: readonly ReactionState[];
  /** How far it goes. */
  end: Checkpoint;
  more: boolean;
}>;

/** The stretch of the log a page covers: after `from`, up to and with `to`. */
export type Stretch = Readonly<{ userId: string; from: number; to: number; limit: number }>;

/** Somebody's place in a conversation, as far as a resume needs it. */
export type Stay = Pick<MemberView, 'conversationId' | 'intervals' | 'role'>;

/** Where a person is and was, and which of those conversations may hold news. */
export type Stays = Readonly<{
  /** Complete up to here. */
  upTo: number;
  members: readonly Stored<Stay>[];
  /** Conversations with facts after the cursor; the others need not be read. */
  active: readonly string[];
  /** Conversations whose marks are told. */
  small: readonly string[];
}>;

const mayHave = (intervals: readonly Interval[], from: number): boolean =>
  intervals.some(({ to }) => to === undefined || to > from);

/**
 * Reads what a person missed from the views; whoever calls has seen that these stand far enough.
 */
export class Pages {
  /** Marks are told in conversations of at most `toldMax` members. */
  constructor(
    private readonly views: Views,
    private readonly toldMax: number,
  ) {}

  /** All stays of a person, past ones too: what was said during one may still be owed. */
  members(userId: string): Promise<readonly Stored<Stay>[]> {
    return this.#ask<Stay>(QUERIES.staysOf(userId));
  }

  /** Which conversations have news after a position, from views that have passed `upTo`. */
  async stays(members: Stays['members'], from: number, upTo: number): Promise<Stays> {
    const readable = members.filter(({ intervals }) => mayHave(intervals, from));
    const conversations = await this.views.get<ConversationView>(
      'conversations',
      readable.map(({ conversationId }) => conversationId),
    );
    const news = new Set<string>();
    for (const { _id, position } of conversations) if (position > from) news.add(_id);
    // Following leaves no trace in the conversation itself.
    for (const { conversationId, position } of readable)
      if (position > from) news.add(conversationId);
    const small = conversations.filter((view) => view.members <= this.toldMax);
    return { upTo, members, active: [...news], small: small.map(({ _id }) => _id) };
  }

  /** The next page of a stretch; `more` where it ends before the stretch does. */
  async page({ userId, from, to, limit }: Stretch, stays: Stays, end: Checkpoint): Promise<Page> {
    const intervals = new Map(
      stays.members.map((member) => [member.conversationId, member.intervals]),
    );
    const stretch = { from, to };
    const found =
      stays.active.length === 0 || to <= from
        ? []
        : await this.#ask<StoredEntry>(QUERIES.factsBetween(stays.active, stretch, limit));
    const last = found.at(-1);
    const more = found.length === limit && last !== undefined && last.place < to;
    const upTo = more ? last.place : to;
    const facts = found
      .filter((entry) => mayRead(intervals.get(entry.conversationId) ?? [], entry.place))
      .map(factFrom)
      .filter((fact) => isFor(fact, userId));
    return {
      facts: await this.#asTheyAre(userId, facts),
      receipts: (await this.#receipts(userId, stays.small, from, upTo))
        // How far others got after one had left is no more one's business than what they said.
        .filter(({ conversationId, position }) =>
          mayRead(intervals.get(conversationId) ?? [], position),
        )
        .map((receipt) => toState(receipt, userId)),
      reactions: await this.#reactions(userId, intervals, { from, to: upTo }),
      end: more ? { position: last.place, eventId: last._id } : end,
      more,
    };
  }

  /** Without what deleted messages said, for all or for the person; edits come as facts. */
  async #asTheyAre(userId: string, facts: readonly Fact[]): Promise<readonly Fact[]> {
    const ids = [...new Set(facts.flatMap((fact) => messageOf(fact) ?? []))];
    if (ids.length === 0) return facts;
    const keys = ids.map((id) => hiddenKey(userId, id));
    const [changed, gone] = await Promise.all([
      this.views.get<MessageView>('messages', ids),
      this.views.get<HiddenView>('hidden', keys),
    ]);
    const views = new Map(changed.map((view) => [view._id, view]));
    const hidden = new Set(gone.map(({ messageId }) => messageId));
    return facts.map((fact) => {
      const messageId = messageOf(fact) ?? '';
      if (hidden.has(messageId)) return { ...withoutText(fact), hidden: true };
      return shownFact(fact, views.get(messageId), () => false);
    });
  }

  async #receipts(
    userId: string,
    small: readonly string[],
    from: number,
    to: number,
  ): Promise<Stored<ReceiptView>[]> {
    if (to <= from) return [];
    const stretch = { from, to };
    const own = QUERIES.ownReceiptsMoved(userId, stretch, PAGE_RECEIPTS_MAX);
    const others = QUERIES.receiptsMoved(small, stretch, PAGE_RECEIPTS_MAX);
    const moved = await Promise.all([
      this.#ask<ReceiptView>(own),
      small.length === 0 ? [] : this.#ask<ReceiptView>(others),
    ]);
    const known = new Map(moved.flat().map((receipt) => [receipt._id, receipt]));
    return [...known.values()];
  }

  /** Of messages that the person was there for, in conversations that they have not left since. */
  async #reactions(
    userId: string,
    intervals: ReadonlyMap<string, readonly Interval[]>,
    { from, to }: Pick<Stretch, 'from' | 'to'>,
  ): Promise<readonly ReactionState[]> {
    if (to <= from || intervals.size === 0) return [];
    const rooms = [...intervals.keys()];
    const asked = QUERIES.reactionsSet(rooms, { from, to }, PAGE_REACTIONS_MAX);
    const found = await this.#ask<ReactionsView>(asked);
    if (found.length === 0) return [];
    const ids = found.map(({ _id }) => _id);
    const said = await this.views.get<StoredEntry>('history', ids);
    const changed = await this.views.get<MessageView>('messages', ids);
    const deleted = new Set(changed.flatMap((view) => (view.deleted ? [view._id] : [])));
    const standing = said.filter(({ _id }) => !deleted.has(_id));
    const places = new Map(standing.map(({ _id, place }) => [_id, place]));
    return found.flatMap((view) => {
      const { _id: messageId, conversationId, seq, by, position } = view;
      const stays = intervals.get(conversationId) ?? [];
      const place = places.get(messageId);
      if (place === undefined || !mayRead(stays, place) || !mayRead(stays, position)) return [];
      const mine = by[userId];
      const state = { conversationId, messageId, seq, counts: countsOf(view) };
      return [mine === undefined ? state : { ...state, mine }];
    });
  }

  #ask<D extends object>({ view, ...query }: ViewQuery): Promise<readonly Stored<D>[]> {
    return this.views.find<D>(view, query);
  }
}

/** A mark as a person may know it: of others what they show. */
const toState = (receipt: Stored<ReceiptView>, asker: string): ReceiptState => {
  const { conversationId, userId, delivered, position } = receipt;
  const { read, readNumber } = userId === asker ? receipt : shownRead(receipt);
  return { conversationId, userId, read, readNumber, delivered, position: String(position) };
};
