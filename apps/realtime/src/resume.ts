import { Inject, Injectable, Logger } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { Rejection, reject, type Fact } from '#domain';
import { crashPoint, isPlanted, LogUnavailable, type Checkpoint, type Views } from '#platform';
import { Cursors, ORIGIN, resync } from './cursor.js';
import { DeliveryLoop } from './loop.js';
import { PAGE_FACTS_MAX, Pages, type Page, type Stay, type Stays } from './pages.js';
import type { Presence, Reader, Told } from './reader.js';
import { Rooms } from './rooms.js';

/** How long a resume waits for the views; past it the client is told to try again. */
const VIEWS_WITHIN_MS = 5_000;

/** The views that a page of facts is read from, and those of a page's receipts and reactions. */
const FACT_VIEWS = ['members', 'conversations', 'history', 'messages'] as const;
const RECEIPT_VIEWS = ['receipts', 'reactions'] as const;

/** What a client asks for: what comes after a place; without one, after the log's end. */
export type ResumeRequest = Readonly<{ from: Checkpoint | undefined; limit?: number | undefined }>;

/** The answer to a resume, and what is to be done once it is on its way. */
export type Resumed = Readonly<{
  page: Omit<Page, 'end'> & Readonly<{ cursor: string; live: boolean }>;
  position: string;
  afterwards: () => void;
}>;

/** Where a person is at a place in the log that the members' view has passed. */
export const roomsAt = (members: readonly Stay[], position: number): Map<string, Presence> => {
  const rooms = new Map<string, Presence>();
  for (const { conversationId, intervals, role } of members) {
    const stay = intervals.find(
      ({ from, to }) => from <= position && (to === undefined || to > position),
    );
    if (!stay) continue;
    // The role is that of an open last stay; of another, the loop is about to tell how it ends.
    const isKnown = stay.to === undefined && stay === intervals.at(-1);
    const following = !isKnown || role === undefined || role === 'follower';
    rooms.set(conversationId, { following, since: stay.from });
  }
  return rooms;
};

const toldOf = ({ position, conversationId, type, seq, actor }: Fact): Told => ({
  position: Number(position),
  bytes: 0,
  conversationId,
  seq: type === 'message.sent' ? seq : undefined,
  actor,
});

const nothing = (): void => undefined;

/**
 * Brings a socket from its cursor to live: it enters its rooms at the loop's position P and keeps
 * what comes, pages what lies between cursor and P from views that have reached P, then lives.
 */
@Injectable()
export class Resume {
  readonly #logger = new Logger('Resume');
  readonly #views: Views;
  readonly #pages: Pages;
  /** Under way: a herd comes back with few cursors and waits for few positions. */
  readonly #asked = new Map<string, Promise<boolean>>();
  readonly #stays = new WeakMap<Reader, Stays>();
  readonly #busy = new WeakSet<Reader>();

  constructor(
    @Inject(PORTS) { views, config }: Ports,
    private readonly rooms: Rooms,
    private readonly loop: DeliveryLoop,
    private readonly cursors: Cursors,
  ) {
    this.#views = views;
    this.#pages = new Pages(views, config.FANOUT_TOLD_MEMBERS_MAX);
  }

  /** Where a device stands: at its cursor, or where it has got since it was given it. */
  placeOf(reader: Reader, cursor: string, after: Checkpoint | undefined): Checkpoint {
    const given = this.cursors.placeOf(cursor, reader);
    if (!after) return given;
    // Nobody goes back behind a cursor: its log is not the one in which this was reached.
    return after.position < given.position ? resync() : after;
  }

  /** One page towards live. Throws `resync_required` for a bad cursor, `behind` while views lag. */
  async resume(reader: Reader, { from, limit }: ResumeRequest): Promise<Resumed> {
    if (this.#busy.has(reader))
      reject('rate_limited', 'One resume at a time; wait for its answer.', { retryAfterMs: 100 });
    this.#busy.add(reader);
    try {
      if (from) await this.#mustBeKnown(from);
      reader.forget();
      this.rooms.leave(reader);
      if (!from) return await this.#fromHead(reader);
      return await this.#from(reader, from, limit ?? PAGE_FACTS_MAX);
    } catch (error) {
      this.rooms.leave(reader);
      return this.#fail(error);
    } finally {
      reader.moves = undefined;
      this.#busy.delete(reader);
    }
  }

  #fail(error: unknown): never {
    if (error instanceof Rejection || error instanceof LogUnavailable) throw error;
    this.#logger.warn(`A resume failed: ${String(error)}`);
    return reject('unavailable', 'What was missed cannot be read now; try again.');
  }

  /** A new device: hears from here on, what came before is in the REST history. */
  async #fromHead(reader: Reader): Promise<Resumed> {
    await this.#enter(reader);
    const place = this.loop.at;
    const page = { facts: [], receipts: [], reactions: [], end: place, more: false };
    return this.#live(reader, page, place.position);
  }

  async #from(reader: Reader, from: Checkpoint, limit: number): Promise<Resumed> {
    const { userId } = reader;
    const early = await this.#early(reader, from.position, limit);
    if (early) return this.#more(reader, early);
    const before = await this.#enter(reader);
    // A cursor given by a node that is ahead of this one has nothing in between.
    const place = this.loop.at.position < from.position ? from : this.loop.at;
    const heardPosition = this.loop.heardPosition;
    await this.#reached(heardPosition, this.loop.at.position);
    const members = before ?? (await this.#pages.members(userId));
    const stays = await this.#pages.stays(members, from.position, heardPosition);
    const stretch = { userId, from: from.position, to: place.position, limit };
    let page = await this.#pages.page(stretch, stays, place);
    crashPoint('realtime.mid-page');
    if (isPlanted('drop-resume-page')) page = { ...page, facts: [] };
    if (page.more) this.#stays.set(reader, stays);
    return page.more || reader.overflowed
      ? this.#more(reader, page)
      : this.#live(reader, page, place.position);
  }

  /**
   * A page from before the place that views are known to have reached needs no room and no wait.
   */
  async #early(reader: Reader, from: number, limit: number): Promise<Page | undefined> {
    let stays = this.#stays.get(reader);
    this.#stays.delete(reader);
    if (!stays || stays.upTo <= from) {
      const upTo = await this.#checkpoint();
      if (upTo >= this.loop.heardPosition || upTo <= from) return undefined;
      stays = await this.#pages.stays(await this.#pages.members(reader.userId), from, upTo);
    }
    const stretch = { userId: reader.userId, from, to: stays.upTo, limit };
    const page = await this.#pages.page(stretch, stays, ORIGIN);
    if (!page.more) return undefined;
    this.#stays.set(reader, stays);
    return page;
  }

  /**
   * Enters the rooms as they are at this very place of the loop. Gives the stays it read, unless
   * the person has moved since.
   */
  async #enter(reader: Reader): Promise<Stays['members'] | undefined> {
    reader.moves = [];
    const position = this.loop.heardPosition;
    await this.#reached(position, ORIGIN.position);
    const members = await this.#pages.members(reader.userId);
    const { moves } = reader;
    reader.moves = undefined;
    this.rooms.join(reader, roomsAt(members, position));
    for (const move of moves) this.rooms.move(reader, move);
    return moves.length === 0 ? members : undefined;
  }

  #more(reader: Reader, page: Page): Resumed {
    this.rooms.leave(reader);
    return this.#answer(reader, { ...page, more: true }, page.end.position, nothing);
  }

  #live(reader: Reader, page: Page, position: number): Resumed {
    return this.#answer(reader, page, position, () => {
      crashPoint('realtime.page-before-live');
      reader.live(position);
    });
  }

  #answer(
    reader: Reader,
    { end, ...page }: Page,
    position: number,
    afterwards: () => void,
  ): Resumed {
    reader.paged(page.facts.map(toldOf));
    return {
      page: { ...page, cursor: this.cursors.of(end, reader), live: !page.more },
      position: String(Math.max(position, 0)),
      afterwards,
    };
  }

  async #mustBeKnown(place: Checkpoint): Promise<void> {
    const { at } = this.loop;
    const isNewest = place.position === at.position && place.eventId === at.eventId;
    if (place.position >= 0 && !isNewest) await this.cursors.mustBeInLog(place);
  }

  /** Waits until views of facts have reached one position and those of receipts another. */
  async #reached(facts: number, receipts: number): Promise<void> {
    const [hasFacts, hasReceipts] = await Promise.all([
      this.#viewsReached(FACT_VIEWS, facts),
      this.#viewsReached(RECEIPT_VIEWS, receipts),
    ]);
    if (!hasFacts || !hasReceipts)
      reject('behind', 'The read models are catching up; try again.', { retryAfterMs: 1_000 });
  }

  async #viewsReached(views: readonly string[], position: number): Promise<boolean> {
    if (position < 0) return true;
    return this.#once(`${views[0]}:${position}`, () =>
      this.#views.reached(views, position, VIEWS_WITHIN_MS),
    );
  }

  async #checkpoint(): Promise<number> {
    const views = [...FACT_VIEWS, ...RECEIPT_VIEWS];
    const reached = await Promise.all(views.map((view) => this.#views.checkpoint(view)));
    return Math.min(...reached);
  }

  #once(key: string, ask: () => Promise<boolean>): Promise<boolean> {
    const asked = this.#asked.get(key);
    if (asked) return asked;
    const asking = ask().finally(() => this.#asked.delete(key));
    this.#asked.set(key, asking);
    return asking;
  }
}
