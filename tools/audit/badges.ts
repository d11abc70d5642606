import { markKindOf, type Recorded, type ScriptaEvent } from '#domain';
import type { Codec, EventStore, LogEvent } from '#platform';

/** Streams that a badge follows from. */
const PREFIXES = ['conversation-', 'audience-', 'receipts-'];
/** Events read at once. */
const PAGE_EVENTS = 2_000;

/** One person's badge in one conversation, and what it follows from. */
export type Badge = {
  isIn: boolean;
  isFollower: boolean;
  /** Messages before the stay began. */
  before: number;
  /** The read mark: its seq, the messages up to it, and which event moved it. */
  read: number;
  readNumber: number;
  readBy: string | undefined;
  readAt: string | undefined;
};

const newBadge = (): Badge => ({
  isIn: false,
  isFollower: false,
  before: 0,
  read: -1,
  readNumber: 0,
  readBy: undefined,
  readAt: undefined,
});

/** What was moved in the log for a person to see a badge change, and how often told. */
export type OnScan = (events: number, position: number) => void;

/**
 * Badges as the log has them, folded here by rules of their own: not by the folds that make the
 * read models, so that a mistake in those is found too.
 */
export class LogBadges {
  /** By person and conversation; of one person alone where one is named. */
  readonly people = new Map<string, Map<string, Badge>>();
  readonly #numbers = new Map<string, number>();
  #position: number | undefined;
  #events = 0;

  constructor(
    private readonly store: EventStore,
    private readonly codec: Codec,
    private readonly only?: string,
  ) {}

  get position(): number {
    return this.#position ?? -1;
  }

  get events(): number {
    return this.#events;
  }

  /** Goes on to where the log ends now. */
  async scan(onScan: OnScan = () => undefined): Promise<void> {
    for (;;) {
      const page = await this.store.readAll(PREFIXES, this.#position, PAGE_EVENTS);
      for (const logged of page) await this.#take(logged);
      this.#events += page.length;
      this.#position = page.at(-1)?.position ?? this.#position;
      onScan(this.#events, this.position);
      if (page.length < PAGE_EVENTS) return;
    }
  }

  /** Messages that a person has not read, by conversation. */
  unread(userId: string): ReadonlyMap<string, number> {
    const unread = new Map<string, number>();
    for (const [conversationId, badge] of this.people.get(userId) ?? []) {
      if (!badge.isIn) continue;
      const seen = Math.max(badge.before, badge.readNumber);
      unread.set(conversationId, Math.max(0, this.numberOf(conversationId) - seen));
    }
    return unread;
  }

  /** Messages of a conversation so far. */
  numberOf(conversationId: string): number {
    return this.#numbers.get(conversationId) ?? 0;
  }

  async #take(logged: LogEvent): Promise<void> {
    this.#fold(await this.codec.decode(logged, false));
  }

  #fold(event: Recorded<ScriptaEvent>): void {
    switch (event.type) {
      case 'ConversationStarted':
        return this.#enter(event.data.conversationId, [event.data.by], false);
      case 'MembersAdded':
        return this.#enter(event.data.conversationId, event.data.members, false);
      case 'BroadcastFollowed':
        return this.#enter(event.data.conversationId, [event.data.userId], true);
      case 'MemberRemoved':
      case 'MemberLeft':
        return this.#leave(event.data.conversationId, event.data.userId, false);
      case 'BroadcastUnfollowed':
        return this.#leave(event.data.conversationId, event.data.userId, true);
      case 'MessageSent': {
        const { conversationId, number, by } = event.data;
        this.#numbers.set(conversationId, number);
        return this.#read(by, conversationId, { seq: event.revision, number }, event);
      }
      case 'MarksMoved':
        for (const [conversation, user, , kind, seq, number] of event.data.marks)
          if (markKindOf(kind) === 'read') this.#read(user, conversation, { seq, number }, event);
        return undefined;
      default:
        return undefined;
    }
  }

  #enter(conversationId: string, userIds: readonly string[], asFollower: boolean): void {
    for (const userId of userIds) {
      const badge = this.#badge(userId, conversationId);
      if (!badge) continue;
      // A follower who becomes an admin stays where they are.
      if (badge.isIn) badge.isFollower &&= asFollower;
      else
        Object.assign(badge, {
          isIn: true,
          isFollower: asFollower,
          before: this.numberOf(conversationId),
        });
    }
  }

  #leave(conversationId: string, userId: string, asFollower: boolean): void {
    const badge = this.#badge(userId, conversationId);
    if (badge && (!asFollower || badge.isFollower)) badge.isIn = false;
  }

  #read(
    userId: string,
    conversationId: string,
    { seq, number }: Readonly<{ seq: number; number: number }>,
    event: Recorded<ScriptaEvent>,
  ): void {
    const badge = this.#badge(userId, conversationId);
    if (!badge || seq <= badge.read) return;
    const { id: readBy, data } = event;
    Object.assign(badge, { read: seq, readNumber: number, readBy, readAt: data.at });
  }

  #badge(userId: string, conversationId: string): Badge | undefined {
    if (this.only !== undefined && userId !== this.only) return undefined;
    let own = this.people.get(userId);
    if (!own) this.people.set(userId, (own = new Map()));
    let badge = own.get(conversationId);
    if (!badge) own.set(conversationId, (badge = newBadge()));
    return badge;
  }
}
