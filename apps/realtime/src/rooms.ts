import { Injectable } from '@nestjs/common';
import { isPlanted } from '#platform';
import type { Delivery } from './deliveries.js';
import type { Emission } from './frames.js';
import type { Move, Presence, Reader } from './reader.js';

const NO_READERS: ReadonlySet<Reader> = new Set();
const EMPTY: ReadonlyMap<Reader, number> = new Map();

/** Who hears of what: readers by conversation and by person. Changed only by the delivery loop. */
@Injectable()
export class Rooms {
  /** Who is in a room, and from which place in the log on. */
  readonly #rooms = new Map<string, Map<Reader, number>>();
  readonly #people = new Map<string, Set<Reader>>();
  #late: (() => void) | undefined;

  /** A socket has connected; it hears nothing yet, but its person's moves reach it. */
  add(reader: Reader): void {
    let readers = this.#people.get(reader.userId);
    if (!readers) this.#people.set(reader.userId, (readers = new Set()));
    readers.add(reader);
  }

  /** A socket is gone. */
  remove(reader: Reader): void {
    this.leave(reader);
    const readers = this.#people.get(reader.userId);
    readers?.delete(reader);
    if (readers?.size === 0) this.#people.delete(reader.userId);
  }

  readersOf(userId: string): ReadonlySet<Reader> {
    return this.#people.get(userId) ?? NO_READERS;
  }

  /** Everyone in a conversation who hears now. */
  in(conversationId: string): ReadonlyMap<Reader, number> {
    return this.#rooms.get(conversationId) ?? EMPTY;
  }

  /** A reader enters its rooms and begins to keep what it hears. */
  join(reader: Reader, rooms: ReadonlyMap<string, Presence>): void {
    reader.join();
    for (const [conversationId, presence] of rooms) this.#enter(reader, conversationId, presence);
  }

  /** A reader leaves all its rooms. */
  leave(reader: Reader): void {
    for (const conversationId of reader.rooms) this.#drop(reader, conversationId);
    reader.rooms.clear();
    reader.leave();
  }

  /** Lets in, tells and lets out, in that order. */
  deliver(delivery: Delivery, emission: Emission): void {
    const { conversationId, following, enter, audience, exit } = delivery;
    const since = emission.position;
    for (const userId of enter)
      this.#move(userId, { conversationId, enters: true, following, since });
    if (audience === 'room') this.#tellRoom(conversationId, emission);
    else for (const userId of audience) this.tellPerson(userId, emission);
    const moved = (userId: string) =>
      this.#move(userId, { conversationId, enters: false, following, since });
    if (isPlanted('leave-room-late')) this.#moveLate(() => exit.forEach(moved));
    else for (const userId of exit) moved(userId);
  }

  /**
   * Whether a delivery changes anything for anybody, so that it need not be encoded for nobody. Who
   * leaves counts, though the room be empty: they may be about to enter it at an earlier place.
   */
  isHeard({ conversationId, enter, exit, audience }: Delivery): boolean {
    if (this.#rooms.has(conversationId)) return true;
    return [...enter, ...exit, ...(audience === 'room' ? [] : audience)].some((userId) =>
      this.#people.has(userId),
    );
  }

  /** Tells every socket of a person. */
  tellPerson(userId: string, emission: Emission, except?: string): void {
    for (const reader of this.readersOf(userId)) {
      if (reader.deviceId !== except) this.#tell(reader, emission);
    }
  }

  /** Tells those in a room who were there at a place in the log. */
  tellThose(conversationId: string, place: number, emission: Emission): void {
    for (const [reader, since] of this.in(conversationId))
      if (since <= place) this.#tell(reader, emission);
  }

  #tellRoom(conversationId: string, emission: Emission): void {
    for (const reader of this.in(conversationId).keys()) this.#tell(reader, emission);
  }

  #tell(reader: Reader, emission: Emission): void {
    const before = reader.state;
    reader.tell(emission);
    if (before !== 'away' && reader.state === 'away') this.leave(reader);
  }

  /** Planted: whoever leaves does so after the next delivery. */
  #moveLate(move: () => void): void {
    this.#late?.();
    this.#late = move;
  }

  #move(userId: string, move: Move): void {
    for (const reader of this.readersOf(userId)) {
      reader.moves?.push(move);
      if (reader.state !== 'away') this.move(reader, move);
    }
  }

  /** Lets one reader in or out, as the members' view would have it. */
  move(reader: Reader, { conversationId, enters, following, since }: Move): void {
    if (enters) {
      // Following what one administers changes nothing; becoming an admin ends mere following.
      const already = reader.rooms.has(conversationId);
      const isFollower = following && (!already || reader.isFollowing(conversationId));
      this.#enter(reader, conversationId, { following: isFollower, since });
    } else if (!following || reader.isFollowing(conversationId)) {
      this.#drop(reader, conversationId);
      reader.rooms.delete(conversationId);
      reader.setFollowing(conversationId, false);
    }
  }

  #enter(reader: Reader, conversationId: string, { following, since }: Presence): void {
    let room = this.#rooms.get(conversationId);
    if (!room) this.#rooms.set(conversationId, (room = new Map()));
    room.set(reader, Math.min(since, room.get(reader) ?? since));
    reader.rooms.add(conversationId);
    reader.setFollowing(conversationId, following);
  }

  #drop(reader: Reader, conversationId: string): void {
    const room = this.#rooms.get(conversationId);
    room?.delete(reader);
    if (room?.size === 0) this.#rooms.delete(conversationId);
  }
}
