import { isPlanted } from '#platform';
import type { Emission } from './frames.js';
import { Path } from './path.js';

/** Facts a socket may leave unacknowledged (finding R7). */
export const UNACKNOWLEDGED_MAX = 256;
/** Bytes a socket may leave unacknowledged: the same window for long texts. */
export const UNACKNOWLEDGED_BYTES_MAX = 1_048_576;

/** Told things that outlive a connection, until the device says where it stands. */
const LEFT_MAX = 32;

/** Planted, every so many emissions one is lost on its way. */
const DROP_EVERY = 50;
let emitted = 0;

/** What is remembered of something told, until it is acknowledged. */
export type Told = Pick<Emission, 'position' | 'bytes' | 'conversationId' | 'seq' | 'actor'>;

/** A wire that emissions are written to: a socket's connection. */
export type Wire = Readonly<{ write: (emission: Emission) => void; behind: () => void }>;

/** How somebody is in a room: as a follower or a member, and from which place in the log on. */
export type Presence = Readonly<{ following: boolean; since: number }>;

/** A change of a person's place in a room, in the order of the log. */
export type Move = Presence & Readonly<{ conversationId: string; enters: boolean }>;

/** How far a device has got in a conversation. */
export type Reached = Readonly<{ conversationId: string; seq: number }>;

/**
 * One socket as a reader of facts. `away` it hears nothing; `joining` it is in its rooms and what it
 * hears is kept until its last page has gone out; `live` it is told at once, within its window.
 */
export class Reader {
  readonly rooms = new Set<string>();
  /** What it was told and what it acknowledged, for the delivery ledger. */
  readonly path = new Path();
  /** Rooms it is in only as a follower of a broadcast; most readers follow none. */
  #following: Set<string> | undefined;
  /** Moves of its person since it asked to resume, until its rooms are known. */
  moves: Move[] | undefined;
  #state: 'away' | 'joining' | 'live' = 'away';
  /** Told and not acknowledged, oldest first from `#acknowledged`. */
  #told: Told[] = [];
  #acknowledged = 0;
  #open = 0;
  #openBytes = 0;
  /** Heard while joining. */
  #kept: Emission[] | undefined;
  #keptBytes = 0;
  #overflowed = false;
  /** Everything up to here was told in pages, perhaps by a node that is ahead of this one's loop. */
  #toldTo = -1;

  constructor(
    readonly userId: string,
    readonly deviceId: string,
    readonly wire: Wire,
  ) {}

  get state(): 'away' | 'joining' | 'live' {
    return this.#state;
  }

  /** Whether more was heard while joining than is kept. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  isFollowing(conversationId: string): boolean {
    return this.#following?.has(conversationId) ?? false;
  }

  setFollowing(conversationId: string, following: boolean): void {
    if (following) (this.#following ??= new Set()).add(conversationId);
    else this.#following?.delete(conversationId);
  }

  /** From here on it hears, and keeps what it hears. */
  join(): void {
    this.#state = 'joining';
    this.#kept = [];
    this.#keptBytes = 0;
    this.#overflowed = false;
  }

  /** Hears nothing from here on. What it was told may still be acknowledged. */
  leave(): void {
    if (this.#state === 'live') this.path.stop();
    this.#state = 'away';
    this.#kept = undefined;
    this.#keptBytes = 0;
    this.#following = undefined;
  }

  /** Forgets what it was told: a resume tells it again from the cursor. */
  forget(): void {
    this.path.resume();
    this.#told = [];
    this.#acknowledged = 0;
    this.#open = 0;
    this.#openBytes = 0;
  }

  /** What it was told last and has not acknowledged, of what would be receipted. */
  get unacknowledged(): Told[] {
    return this.#told
      .slice(this.#acknowledged)
      .filter(({ seq, actor }) => seq !== undefined && actor !== this.userId)
      .slice(-LEFT_MAX)
      .map(({ position, conversationId, seq, actor }) => ({
        position,
        bytes: 0,
        conversationId,
        seq,
        actor,
      }));
  }

  /** Takes over what its device was told before it came back: it may be about to say it has it. */
  inherit(told: readonly Told[]): void {
    this.#told.unshift(...told);
  }

  /** Notes the facts of a page, so that acknowledging them counts as delivery. */
  paged(facts: readonly Told[]): void {
    this.#told.push(...facts);
    this.path.paged(facts.at(-1)?.position);
  }

  /** The last page is out: tells what was kept since `position`, and is live. */
  live(position: number): void {
    // It may have gone meanwhile.
    if (this.#state !== 'joining') return;
    const kept = this.#kept ?? [];
    this.#kept = undefined;
    this.#state = 'live';
    this.path.live(position);
    this.#toldTo = position;
    for (const emission of kept) this.tell(emission);
  }

  /** Hears of something. Over its window it falls behind: told so once, it hears no more. */
  tell(emission: Emission): void {
    if (this.#state === 'live') this.#tellNow(emission);
    else if (this.#state === 'joining') this.#keep(emission);
  }

  #tellNow(emission: Emission): void {
    if (emission.position <= this.#toldTo) return;
    const open = this.#open + 1;
    const bytes = this.#openBytes + emission.bytes;
    if (open > UNACKNOWLEDGED_MAX || bytes > UNACKNOWLEDGED_BYTES_MAX) {
      this.leave();
      this.wire.behind();
      return;
    }
    this.#open = open;
    this.#openBytes = bytes;
    this.#told.push(emission);
    this.path.told(emission.position);
    if (isPlanted('drop-emission') && (emitted += 1) % DROP_EVERY === 0) return;
    this.wire.write(emission);
  }

  #keep(emission: Emission): void {
    const kept = this.#kept;
    if (!kept || this.#overflowed) return;
    this.#keptBytes += emission.bytes;
    this.#overflowed =
      kept.length >= UNACKNOWLEDGED_MAX || this.#keptBytes > UNACKNOWLEDGED_BYTES_MAX;
    if (this.#overflowed) this.#kept = [];
    else kept.push(emission);
  }

  /**
   * Everything up to a position has arrived. Gives how far that is in each conversation, counting
   * the messages of others only.
   */
  acknowledge(position: number): Reached[] {
    this.path.acknowledged(position);
    const reached = new Map<string, number>();
    const told = this.#told;
    let at = this.#acknowledged;
    for (let next = told[at]; next && next.position <= position; next = told[++at]) {
      if (next.bytes > 0) this.#open -= 1;
      this.#openBytes -= next.bytes;
      const { conversationId, seq, actor } = next;
      if (conversationId !== undefined && seq !== undefined && actor !== this.userId)
        reached.set(conversationId, seq);
    }
    this.#acknowledged = at;
    this.#compact();
    return [...reached].map(([conversationId, seq]) => ({ conversationId, seq }));
  }

  #compact(): void {
    if (this.#acknowledged === this.#told.length) this.#told = [];
    else if (this.#acknowledged > UNACKNOWLEDGED_MAX)
      this.#told = this.#told.slice(this.#acknowledged);
    else return;
    this.#acknowledged = 0;
  }
}
