import { VIEWS, type Event, type Projection, type Recorded } from '#domain';
import type { Clock } from './clock.js';
import type { LogEvent } from './event-store.js';
import { isPlanted } from './planted-bugs.js';
import { nameOf, tally } from './tallies.js';
import type { Kept, Parked, ViewWriter } from './view-writer.js';

/** Any read model, its documents and events left open. */
export type AnyProjection = Projection<object, Event>;

/** Every read model, whatever its documents are. */
export const PROJECTIONS: readonly AnyProjection[] =
  // Each fold takes only events of its own streams, which the runner sees to.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  Object.values(VIEWS) as unknown as readonly AnyProjection[];

/** What a batch makes of a view's documents; none of `fresh` was there before. */
export type Changes = Readonly<{
  documents: ReadonlyMap<string, Kept>;
  fresh: ReadonlySet<string>;
}>;

/** What a read model stands on; `log` hears of everything that is parked. */
export type ReadModelPorts = Readonly<{
  writer: ViewWriter;
  clock: Clock;
  log: (message: string) => void;
  /** Calls the store until it answers: an outage is waited out. */
  insist: <T>(call: () => Promise<T>) => Promise<T>;
}>;

/** Documents a model keeps in memory, and those it may hold back from being written (0: none). */
export type Memory = Readonly<{ cacheMax: number; heldMax: number }>;

/** An event to be folded, and the documents it belongs to. */
type Keyed = Readonly<{ event: Recorded; keys: readonly string[] }>;
/** An event as far as parking needs it: one that cannot be decoded parks its stream too. */
type Place = Pick<LogEvent, 'id' | 'stream' | 'position' | 'revision' | 'type'>;

/**
 * Streams whose events stand each for itself: marks of many conversations, which only move forward.
 * One that cannot be folded is parked alone, so that it holds up no conversation.
 */
const ALONE_PREFIX = 'receipts-';
/** How long the guard of a deleted document is kept after the checkpoint has passed it (ms). */
const GONE_MS = 60_000;
/** Characters of an error's stack that are kept for an operator. */
const STACK_CHARS_MAX = 4_000;

/** Documents of one bulk when much is written at once. */
const FLUSH_DOCUMENTS = 1_000;

const NONE: ReadonlyMap<string, Kept> = new Map();

/**
 * One read model in memory: which documents a batch touches, how they change, which streams are
 * parked. It folds ahead of the writing, and is told when that is done.
 */
export class ReadModel {
  readonly projection: AnyProjection;
  readonly #ports: ReadModelPorts;
  readonly #cacheMax: number;
  readonly #heldMax: number;
  /** The latest documents, least recently used first. */
  readonly #cache = new Map<string, Kept>();
  /** Changes that wait for `flush`, where documents are not written batch by batch. */
  #held = new Map<string, Kept>();
  #heldFresh = new Set<string>();
  /** Documents on their way to the store: what is loaded meanwhile may be older. */
  #inFlight: ReadonlyMap<string, Kept> = NONE;
  /** Streams that wait, from which position on: what came before is folded all the same. */
  readonly #parked = new Map<string, number>();
  #toPark: Parked[] = [];
  #waiting = new Map<string, number>();
  #gone: { key: string; position: number; at: number }[] = [];
  /** Folded from the beginning of the log with nothing let go: what is not here is nowhere. */
  #isWhole = false;
  #position = -1;

  constructor(projection: AnyProjection, ports: ReadModelPorts, { cacheMax, heldMax }: Memory) {
    this.projection = projection;
    this.#ports = ports;
    this.#cacheMax = cacheMax;
    this.#heldMax = projection.single === true ? 0 : heldMax;
  }

  get name(): string {
    return this.projection.name;
  }

  /** Begins after a position: everything up to it is in the store. */
  async start(position: number): Promise<void> {
    this.#position = position;
    this.#isWhole = position < 0 && this.projection.single !== true;
    const { insist, writer } = this.#ports;
    const parked = await insist(() => writer.parked(this.name));
    for (const one of parked) this.#parked.set(one.stream, one.position);
  }

  /** Streams that wait for this view. */
  get parked(): readonly string[] {
    return [...this.#parked.keys()];
  }

  /** Whether a stream is one of this view's. */
  follows(stream: string): boolean {
    return this.projection.streams.some((prefix) => stream.startsWith(prefix));
  }

  /** The stream waits for this view from this event on; others go on. */
  park({ id: eventId, stream, position, revision, type }: Place, cause: unknown): void {
    if (position <= this.#position || !this.follows(stream)) return;
    if (this.#waits({ stream, position })) return;
    this.#parked.set(stream, position);
    tally('parked', nameOf(cause), this.name);
    const error = cause instanceof Error ? cause.message : String(cause);
    const stack = (cause instanceof Error ? (cause.stack ?? '') : '').slice(0, STACK_CHARS_MAX);
    const at = this.#ports.clock.iso();
    const where = { view: this.name, stream, eventId, position, revision, type };
    this.#toPark.push({ ...where, error, stack, at, lastAt: at, attempts: 1, waiting: 0 });
    this.#ports.log(
      `PARKED ${stream} for ${this.name}: ${type} ${eventId} at ${position} cannot be folded ` +
        `(${error}). Others go on; once it can be, run: npm run parked -- replay ${stream}`,
    );
  }

  /** Folds a batch onto what is known and what it must load. Nothing is written yet. */
  async fold(events: readonly Recorded[]): Promise<Changes> {
    const keyed = this.#keyed(events);
    const known = await this.#known(keyed);
    const documents = new Map<string, Kept>();
    const fresh = new Set<string>();
    for (const { event, keys } of keyed) {
      // One that was parked a moment ago takes the rest of its stream with it.
      if (this.#waits(event)) continue;
      for (const key of keys) {
        const before = documents.get(key) ?? known.get(key);
        const after = this.#evolved(before, event, key);
        if (!after) continue;
        if (!before) fresh.add(key);
        documents.set(key, after);
      }
    }
    this.#remember(documents);
    return { documents, fresh };
  }

  /** What had to be parked or counted since the last call, to be stored before the checkpoint. */
  async settleParked(): Promise<void> {
    const { insist, writer } = this.#ports;
    const [parked, waiting] = [this.#toPark, this.#waiting];
    this.#toPark = [];
    this.#waiting = new Map();
    for (const one of parked) await insist(() => writer.park(one));
    if (waiting.size > 0) await insist(() => writer.countWaiting(this.name, waiting));
  }

  /** The changes are on their way: until the next call, the store may hold older documents. */
  sending({ documents }: Changes): void {
    this.#inFlight = documents;
    for (const key of this.#cache.keys()) {
      if (this.#cache.size <= this.#cacheMax) break;
      this.#cache.delete(key);
      this.#isWhole = false;
    }
  }

  /** Writes a batch's documents, or holds them back while there is room. */
  async write(changes: Changes): Promise<void> {
    if (this.#heldMax === 0) {
      await this.#send(changes);
      return;
    }
    for (const key of changes.fresh) this.#heldFresh.add(key);
    for (const [key, document] of changes.documents) this.#held.set(key, document);
    if (this.#held.size >= this.#heldMax) await this.flush();
  }

  /** Writes all that was held back. */
  async flush(): Promise<void> {
    const [documents, fresh] = [[...this.#held], this.#heldFresh];
    for (let from = 0; from < documents.length; from += FLUSH_DOCUMENTS)
      await this.#send({
        documents: new Map(documents.slice(from, from + FLUSH_DOCUMENTS)),
        fresh,
      });
    // Only now: while they were on their way, they were still what is known here.
    this.#held = new Map();
    this.#heldFresh = new Set();
  }

  async #send({ documents, fresh }: Changes): Promise<void> {
    if (documents.size === 0) return;
    const { insist, writer } = this.#ports;
    const newer = await insist(() => writer.write(this.name, [...documents.values()], fresh));
    // Another writer is ahead: what it left is what to fold on.
    for (const key of newer) this.#cache.delete(key);
    if (newer.length > 0) this.#isWhole = false;
  }

  /** The checkpoint is at this position: guards of what was deleted long before can go. */
  async reached(position: number): Promise<void> {
    this.#position = Math.max(this.#position, position);
    const now = this.#ports.clock.monotonic();
    const old = this.#gone.filter((gone) => gone.position <= position && now - gone.at > GONE_MS);
    if (old.length === 0) return;
    this.#gone = this.#gone.filter((gone) => !old.includes(gone));
    const { insist, writer } = this.#ports;
    const keys = old.map(({ key }) => key);
    await insist(() => writer.forget(this.name, keys, position));
  }

  /** Whether an event is to wait; one that came after what could not be folded is counted. */
  #waits({ stream, position }: Pick<Place, 'stream' | 'position'>): boolean {
    const from = this.#parked.get(stream);
    if (from === undefined || position < from || stream.startsWith(ALONE_PREFIX)) return false;
    if (position > from) this.#waiting.set(stream, (this.#waiting.get(stream) ?? 0) + 1);
    return true;
  }

  #keyed(events: readonly Recorded[]): readonly Keyed[] {
    const keyed: Keyed[] = [];
    for (const event of events) {
      const { stream, position } = event;
      if (position <= this.#position || !this.follows(stream)) continue;
      if (this.#waits(event)) continue;
      try {
        const keys = this.projection.keysOf(event);
        if (keys.length > 0) keyed.push({ event, keys });
      } catch (error) {
        this.park(event, error);
      }
    }
    return keyed;
  }

  #evolved(before: Kept | undefined, event: Recorded, key: string): Kept | undefined {
    // Applied already: a document never goes back in the log.
    const isGuarded = !isPlanted('skip-position-guard');
    if (isGuarded && before && before.position >= event.position) return undefined;
    const known = before?.gone === true ? undefined : before;
    try {
      const after = this.projection.evolve(this.#standing(known), event, key);
      const { position } = event;
      if (after) return { ...after, _id: key, position };
      if (!known) return undefined;
      this.#gone.push({ key, position, at: this.#ports.clock.monotonic() });
      return { _id: key, position, gone: true };
    } catch (error) {
      this.park(event, error);
      return undefined;
    }
  }

  /** What a fold goes on from. Planted: that of the receipts forgets where a read mark stood. */
  #standing(before: Kept | undefined): Kept | undefined {
    if (!isPlanted('read-marks-go-back') || !before || this.name !== 'receipts') return before;
    return Object.assign({ ...before }, { read: -1, readNumber: 0 });
  }

  /**
   * The latest of each document that a batch touches, taken at once: while the store answers, what
   * is in memory may be let go.
   */
  async #known(keyed: readonly Keyed[]): Promise<ReadonlyMap<string, Kept>> {
    const known = new Map<string, Kept>();
    const missing = new Set<string>();
    for (const { event, keys } of keyed) {
      if (this.#isAlone(event)) continue;
      for (const key of keys) {
        const kept = this.#cache.get(key) ?? this.#inFlight.get(key) ?? this.#held.get(key);
        if (kept) known.set(key, kept);
        else missing.add(key);
      }
    }
    if (missing.size === 0 || this.#isWhole) return known;
    const { insist, writer } = this.#ports;
    for (const kept of await insist(() => writer.load(this.name, [...missing])))
      known.set(kept._id, kept);
    return known;
  }

  /** Whether what an event makes rests on nothing that was there before. */
  #isAlone({ type }: Recorded): boolean {
    const { single, rewriting } = this.projection;
    return single === true && rewriting?.includes(type) !== true;
  }

  #remember(documents: ReadonlyMap<string, Kept>): void {
    if (this.projection.single === true) return;
    for (const [key, document] of documents) {
      this.#cache.delete(key);
      this.#cache.set(key, document);
    }
  }
}
