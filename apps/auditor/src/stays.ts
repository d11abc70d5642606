import {
  memberKey,
  members,
  type HeardEvent,
  type Interval,
  type MemberView,
  type Recorded,
} from '#domain';
import { QUERIES, type Views } from '#platform';

/** Places of people kept in memory, about 300 bytes each; those asked for longest ago go first. */
const PLACES_MAX = 200_000;
/** How long the members' view may take to reach what the log has said. */
const VIEW_WITHIN_MS = 2_000;

type Place = Readonly<{ view: MemberView; position: number }>;
type Places = Map<string, Place>;

/** Somebody's stays in one conversation. */
export type StaysIn = Readonly<{ conversationId: string; intervals: readonly Interval[] }>;

/**
 * Who was where and when: read from the members' view once, and then kept by the log itself with
 * the fold that makes the view.
 */
export class Stays {
  /** Least lately asked for first. */
  readonly #people = new Map<string, Places>();
  /** What happened to people whose places are just being read. */
  readonly #reading = new Map<string, Recorded<HeardEvent>[]>();
  #places = 0;
  #movedTo = -1;

  constructor(private readonly views: Views) {}

  get size(): number {
    return this.#places;
  }

  /** Everyone's stays, or nothing while the view is behind the log. */
  async of(userId: string): Promise<readonly StaysIn[] | undefined> {
    const places = this.#people.get(userId) ?? (await this.#read(userId));
    if (!places) return undefined;
    this.#people.delete(userId);
    this.#people.set(userId, places);
    this.#shrink(userId);
    return [...places.values()].map(({ view }) => view);
  }

  /** Somebody came or went. */
  moved(event: Recorded<HeardEvent>): void {
    this.#movedTo = event.position;
    for (const key of members.keysOf(event)) {
      const userId = key.slice(key.indexOf(':') + 1);
      this.#reading.get(userId)?.push(event);
      const places = this.#people.get(userId);
      if (places) this.#move(places, event, key);
    }
  }

  /** The log is another: all are to be read anew. */
  forget(): void {
    this.#people.clear();
    this.#places = 0;
    this.#movedTo = -1;
  }

  async #read(userId: string): Promise<Places | undefined> {
    const meanwhile: Recorded<HeardEvent>[] = [];
    this.#reading.set(userId, meanwhile);
    try {
      if (!(await this.views.reached(['members'], this.#movedTo, VIEW_WITHIN_MS))) return undefined;
      const { view, ...query } = QUERIES.placesOf(userId);
      const found = await this.views.find<MemberView>(view, query);
      const places: Places = new Map(
        found.map(({ position, ...place }) => [place.conversationId, { view: place, position }]),
      );
      this.#places += places.size;
      for (const event of meanwhile)
        this.#move(places, event, memberKey(event.data.conversationId, userId));
      return places;
    } finally {
      this.#reading.delete(userId);
    }
  }

  #move(places: Places, event: Recorded<HeardEvent>, key: string): void {
    const { conversationId } = event.data;
    const before = places.get(conversationId);
    if (before && before.position >= event.position) return;
    const view = members.evolve(before?.view, event, key);
    if (!view) return;
    if (!before) this.#places += 1;
    places.set(conversationId, { view, position: event.position });
  }

  /** The most recently asked for stays, however many places it has. */
  #shrink(recent: string): void {
    for (const [userId, places] of this.#people) {
      if (this.#places <= PLACES_MAX || userId === recent) return;
      this.#people.delete(userId);
      this.#places -= places.size;
    }
  }
}
