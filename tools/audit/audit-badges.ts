import type { Codec, EventStore, Views } from '#platform';
import { Inbox } from '../../apps/command-api/src/inbox.js';
import { LogBadges, type OnScan } from './badges.js';

/** Conversations of one page of a person's list. */
const PAGE_CONVERSATIONS = 500;
/** While people talk a badge changes between two looks; one that is wrong stays wrong. */
const LOOKS_MAX = 5;
/** How long the read models may take to reach the log. */
const VIEWS_WITHIN_MS = 10_000;
const VIEWS = ['members', 'conversations', 'receipts', 'history'];
/** Unread messages that an explanation names. */
const EXPLAINED_MAX = 50;

/** What the audit stands on. */
export type AuditPorts = Readonly<{ store: EventStore; codec: Codec; views: Views }>;

/** A badge that is not as the log has it. `undefined`: not in it. */
export type Difference = Readonly<{
  userId: string;
  conversationId: string;
  log: number | undefined;
  shown: number | undefined;
}>;

/** What an audit found. */
export type Audited = Readonly<{
  events: number;
  people: number;
  badges: number;
  differences: readonly Difference[];
}>;

/** Why a badge is what it is. */
export type Explained = Readonly<{
  conversationId: string;
  unread: number;
  because: string;
  read: number;
  readAt?: string;
  messages: readonly Readonly<{ messageId: string; seq: number; by: string; at: string }>[];
}>;

const differing = (
  userId: string,
  log: ReadonlyMap<string, number>,
  shown: ReadonlyMap<string, number>,
): Difference[] =>
  [...new Set([...log.keys(), ...shown.keys()])]
    .filter((id) => log.get(id) !== shown.get(id))
    .map((conversationId) => ({
      userId,
      conversationId,
      log: log.get(conversationId),
      shown: shown.get(conversationId),
    }));

/** Compares the badges that people are shown with those that follow from the log. */
export class BadgeAudit {
  readonly #log: LogBadges;
  readonly #inbox: Inbox;

  constructor(
    private readonly ports: AuditPorts,
    private readonly only?: string,
  ) {
    this.#log = new LogBadges(ports.store, ports.codec, only);
    this.#inbox = new Inbox(ports.views);
  }

  /** Every badge of everyone, or of one person. */
  async run(onScan?: OnScan): Promise<Audited> {
    await this.#follow(onScan);
    const people = this.only === undefined ? [...this.#log.people.keys()] : [this.only];
    const differences: Difference[] = [];
    let badges = 0;
    for (const userId of people) {
      badges += this.#log.unread(userId).size;
      differences.push(...(await this.#differencesOf(userId)));
    }
    return { events: this.#log.events, people: people.length, badges, differences };
  }

  /** Which messages make a badge, and why those. */
  async explain(userId: string): Promise<readonly Explained[]> {
    await this.#follow();
    const explained: Explained[] = [];
    for (const [conversationId, unread] of this.#log.unread(userId)) {
      const badge = this.#log.people.get(userId)?.get(conversationId);
      if (unread === 0 || !badge) continue;
      const { read, readNumber, before, readAt } = badge;
      const isNew = before >= readNumber;
      explained.push({
        conversationId,
        unread,
        because: isNew
          ? `the stay began after message ${before} of ${this.#log.numberOf(conversationId)}`
          : `the read mark is at seq ${read}, which is message ${readNumber} of ` +
            `${this.#log.numberOf(conversationId)}`,
        read,
        ...(readAt === undefined ? {} : { readAt }),
        messages: await this.#messagesAfter(conversationId, Math.max(before, readNumber)),
      });
    }
    return explained;
  }

  async #follow(onScan?: OnScan): Promise<void> {
    await this.#log.scan(onScan);
    if (!(await this.ports.views.reached(VIEWS, this.#log.position, VIEWS_WITHIN_MS)))
      throw new Error('The read models are too far behind the log to be compared with it.');
  }

  /** Differences that stay, however often one looks. */
  async #differencesOf(userId: string): Promise<readonly Difference[]> {
    let found: Difference[] = [];
    for (let look = 0; look < LOOKS_MAX; look += 1) {
      const before = this.#log.unread(userId);
      const shown = await this.#shown(userId);
      found = differing(userId, before, shown);
      if (found.length === 0) return found;
      // What was said meanwhile may be shown already.
      await this.#follow();
      const after = differing(userId, this.#log.unread(userId), shown);
      const stays = new Set(after.map(({ conversationId }) => conversationId));
      found = found.filter(({ conversationId }) => stays.has(conversationId));
      if (found.length === 0) return found;
    }
    return found;
  }

  async #shown(userId: string): Promise<ReadonlyMap<string, number>> {
    const shown = new Map<string, number>();
    let before: number | undefined;
    for (;;) {
      const { items, cursor } = await this.#inbox.list(userId, PAGE_CONVERSATIONS, before);
      for (const { conversationId, unread } of items) shown.set(conversationId, unread);
      if (cursor === undefined) return shown;
      before = Number(cursor);
    }
  }

  /** The first messages after so many, read from the log. */
  async #messagesAfter(conversationId: string, number: number): Promise<Explained['messages']> {
    const messages: Explained['messages'][number][] = [];
    const { store, codec } = this.ports;
    for (let from = number; messages.length < EXPLAINED_MAX;) {
      const page = await store.read(`conversation-${conversationId}`, from, EXPLAINED_MAX);
      const events = await Promise.all(page.map(async (event) => codec.decode(event, false)));
      for (const event of events) {
        if (event.type !== 'MessageSent' || event.data.number <= number) continue;
        const { by, at, messageId } = event.data;
        messages.push({ messageId, seq: event.revision, by, at });
      }
      if (page.length < EXPLAINED_MAX) break;
      from += page.length;
    }
    return messages.slice(0, EXPLAINED_MAX);
  }
}
