import { Query as Filter } from 'mingo';
import type { Projection } from '#domain';
import { CheckpointWatch } from './checkpoint-watch.js';
import type { Clock, Timer } from './clock.js';
import type { Checkpoint } from './event-store.js';
import { isPlanted } from './planted-bugs.js';
import {
  NEXT,
  ViewsHeld,
  ViewSwitch,
  ViewsUnavailable,
  ViewWriter,
  type Beat,
  type Compaction,
  type Kept,
  type Parked,
  type ViewCheckpoint,
} from './view-writer.js';
import { shown, Views, type Query, type Stored } from './views.js';

/** What a database holds, in memory: one for all who share the read models of a simulation. */
export class MemoryViewStore {
  readonly collections = new Map<string, Map<string, Kept>>();
  readonly checkpoints = new Map<string, ViewCheckpoint>();
  readonly parked = new Map<string, Parked>();
  readonly projectors = new Map<string, Beat>();
  readonly erased = new Set<string>();
  /** While set, nothing gets through. */
  isDown = false;

  /** Takes as long as a message, and fails while the store is down. */
  async reach(): Promise<void> {
    await Promise.resolve();
    if (this.isDown) throw new ViewsUnavailable('The read models cannot be reached just now.');
  }

  collection(name: string): Map<string, Kept> {
    let found = this.collections.get(name);
    if (!found) this.collections.set(name, (found = new Map()));
    return found;
  }
}

const compared = (one: unknown, other: unknown): number => {
  if (one === other) return 0;
  if (typeof one === 'number' && typeof other === 'number') return one - other;
  return String(one) < String(other) ? -1 : 1;
};

const byFields =
  (sort: Readonly<Record<string, 1 | -1>>) =>
  (one: object, other: object): number => {
    for (const [field, direction] of Object.entries(sort)) {
      const order = compared(Reflect.get(one, field), Reflect.get(other, field));
      if (order !== 0) return order * direction;
    }
    return 0;
  };

const parkedFor = (name: string, key: string): boolean => key.startsWith(`${name}:`);

/** The read models in memory. */
export class MemoryViewsAt extends Views {
  readonly #store: MemoryViewStore;
  readonly #watch: CheckpointWatch;

  constructor(store: MemoryViewStore, clock: Clock, timer: Timer) {
    super();
    this.#store = store;
    this.#watch = new CheckpointWatch(() => this.#checkpoints(), clock, timer);
  }

  override async find<D extends object>(view: string, query: Query): Promise<readonly Stored<D>[]> {
    const { filter, sort, limit } = query;
    await this.#store.reach();
    const matches = new Filter({ ...filter });
    const all = [...this.#store.collection(view).values()];
    const found = all.filter((kept) => kept.gone !== true && matches.test(kept));
    const sorted = sort ? found.toSorted(byFields(sort)) : found;
    // The caller names the shape of the view it asks, as with any database.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return structuredClone(
      sorted.slice(0, limit).map((kept) => shown(kept, query)),
    ) as unknown as Stored<D>[];
  }

  override get<D extends object>(
    view: string,
    ids: readonly string[],
  ): Promise<readonly Stored<D>[]> {
    return this.find<D>(view, { filter: { _id: { $in: [...ids] } } });
  }

  override checkpoint(view: string): Promise<number> {
    return this.#watch.now(view);
  }

  override reached(views: readonly string[], position: number, withinMs: number): Promise<boolean> {
    return this.#watch.reached(views, position, withinMs);
  }

  override prepare(): Promise<void> {
    return Promise.resolve();
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  async #checkpoints(): Promise<ReadonlyMap<string, number>> {
    await this.#store.reach();
    return new Map([...this.#store.checkpoints].map(([view, { scanned }]) => [view, scanned]));
  }
}

/** Writes read models in memory. */
export class MemoryViewWriter extends ViewWriter {
  readonly #store: MemoryViewStore;
  readonly #suffix: string;

  constructor(store: MemoryViewStore, suffix: '' | typeof NEXT = '') {
    super();
    this.#store = store;
    this.#suffix = suffix;
  }

  override async prepare({ name }: Projection<object, never>): Promise<void> {
    await this.#store.reach();
    const { checkpoints } = this.#store;
    const key = name + this.#suffix;
    if (checkpoints.has(key)) return;
    checkpoints.set(key, { position: -1, eventId: '', scanned: -1, generation: 0 });
  }

  override async load(view: string, ids: readonly string[]): Promise<readonly Kept[]> {
    await this.#store.reach();
    return structuredClone(ids.flatMap((id) => this.#collection(view).get(id) ?? []));
  }

  override async page(view: string, after: string, limit: number): Promise<readonly Kept[]> {
    await this.#store.reach();
    const found = [...this.#collection(view).values()].filter(({ _id }) => _id > after);
    return structuredClone(found.toSorted(byFields({ _id: 1 })).slice(0, limit));
  }

  override async write(view: string, documents: readonly Kept[]): Promise<readonly string[]> {
    await this.#store.reach();
    const collection = this.#collection(view);
    const refused: string[] = [];
    for (const document of structuredClone(documents)) {
      const { _id, position } = document;
      const isGuarded = !isPlanted('skip-position-guard');
      if (isGuarded && (collection.get(_id)?.position ?? -1) >= position) refused.push(_id);
      else collection.set(_id, document);
    }
    return refused;
  }

  override async forget(view: string, ids: readonly string[], upTo: number): Promise<void> {
    await this.#store.reach();
    const collection = this.#collection(view);
    for (const id of ids) {
      const kept = collection.get(id);
      if (kept?.gone === true && kept.position <= upTo) collection.delete(id);
    }
  }

  override async checkpoints(): Promise<ReadonlyMap<string, ViewCheckpoint>> {
    await this.#store.reach();
    const own = [...this.#store.checkpoints].filter(
      ([name]) => name.endsWith(NEXT) === (this.#suffix === NEXT),
    );
    return new Map(own.map(([name, at]) => [name.slice(0, name.length - this.#suffix.length), at]));
  }

  override async save(
    views: ReadonlyMap<string, number>,
    to: Checkpoint & Readonly<{ scanned: number }>,
  ): Promise<void> {
    await this.#store.reach();
    for (const [view, generation] of views) {
      const at = this.#store.checkpoints.get(view + this.#suffix);
      if (at?.generation !== generation) throw new ViewsHeld(`The view ${view} was replaced.`);
      if (at.scanned < to.scanned)
        this.#store.checkpoints.set(view + this.#suffix, { ...at, ...to });
    }
  }

  override async parked(view: string): Promise<readonly Parked[]> {
    await this.#store.reach();
    const own = [...this.#store.parked].filter(([key]) => parkedFor(view + this.#suffix, key));
    return own.map(([, parked]) => parked);
  }

  override async erased(): Promise<ReadonlySet<string>> {
    await this.#store.reach();
    return new Set(this.#store.erased);
  }

  override async noteErased(userId: string): Promise<void> {
    await this.#store.reach();
    this.#store.erased.add(userId);
  }

  override async park(parked: Parked): Promise<void> {
    await this.#store.reach();
    const key = `${parked.view}${this.#suffix}:${parked.stream}`;
    const { attempts = 0, waiting = 0, at = parked.at } = this.#store.parked.get(key) ?? {};
    this.#store.parked.set(key, { ...parked, at, attempts: attempts + 1, waiting });
  }

  override async countWaiting(view: string, counts: ReadonlyMap<string, number>): Promise<void> {
    await this.#store.reach();
    for (const [stream, count] of counts) {
      const key = `${view}${this.#suffix}:${stream}`;
      const parked = this.#store.parked.get(key);
      if (parked) this.#store.parked.set(key, { ...parked, waiting: parked.waiting + count });
    }
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  #collection(view: string): Map<string, Kept> {
    return this.#store.collection(view + this.#suffix);
  }
}

/** Replaces views in memory. */
export class MemoryViewSwitch extends ViewSwitch {
  readonly #store: MemoryViewStore;

  constructor(store: MemoryViewStore) {
    super();
    this.#store = store;
  }

  override next(): ViewWriter {
    return new MemoryViewWriter(this.#store, NEXT);
  }

  override async clear(view: string): Promise<void> {
    await this.#store.reach();
    this.#store.collections.delete(view + NEXT);
    this.#store.checkpoints.delete(view + NEXT);
    this.#forgetParked(view + NEXT);
  }

  override async hold(views: readonly string[], by: string): Promise<void> {
    await this.#store.reach();
    const found = views.map((view) => [view, this.#store.checkpoints.get(view)] as const);
    if (found.some(([, at]) => !at || at.hold))
      throw new ViewsHeld('A view is being replaced by another.');
    for (const [view, at] of found)
      if (at) this.#store.checkpoints.set(view, { ...at, hold: { by, beat: 0 } });
  }

  override async renew(views: readonly string[], by: string): Promise<void> {
    await this.#store.reach();
    for (const view of views) {
      const at = this.#store.checkpoints.get(view);
      if (at?.hold?.by !== by) throw new ViewsHeld('The hold was broken: it was too slow.');
      this.#store.checkpoints.set(view, { ...at, hold: { by, beat: at.hold.beat + 1 } });
    }
  }

  override async release(views: readonly string[], by: string): Promise<void> {
    await this.#store.reach();
    for (const view of views) {
      const held = this.#store.checkpoints.get(view);
      if (held?.hold?.by !== by) continue;
      const { hold: _hold, ...at } = held;
      this.#store.checkpoints.set(view, at);
    }
  }

  override async swap(view: string): Promise<void> {
    await this.#store.reach();
    const { collections, checkpoints, parked } = this.#store;
    const [built, at] = [checkpoints.get(view + NEXT), checkpoints.get(view)];
    if (!built) throw new Error(`There is no ${view}${NEXT} to put in the place of ${view}.`);
    collections.set(view, this.#store.collection(view + NEXT));
    collections.delete(view + NEXT);
    const { position, eventId, scanned } = built;
    const of = at ?? built;
    checkpoints.set(view, {
      ...of,
      position,
      eventId,
      scanned,
      generation: (at?.generation ?? 0) + 1,
    });
    checkpoints.delete(view + NEXT);
    this.#forgetParked(view);
    for (const [key, one] of parked)
      if (parkedFor(view + NEXT, key)) parked.set(`${view}:${one.stream}`, one);
    this.#forgetParked(view + NEXT);
  }

  override async mend(view: string, stream: string, documents: readonly Kept[]): Promise<void> {
    await this.#store.reach();
    for (const document of structuredClone(documents))
      this.#store.collection(view).set(document._id, document);
    const at = this.#store.checkpoints.get(view);
    if (at) this.#store.checkpoints.set(view, { ...at, generation: at.generation + 1 });
    this.#store.parked.delete(`${view}:${stream}`);
  }

  override async replace(view: string, documents: readonly Kept[]): Promise<ReadonlySet<string>> {
    await this.#store.reach();
    const collection = this.#store.collection(view);
    const newer = new Set<string>();
    for (const document of structuredClone(documents)) {
      const { _id, position } = document;
      if ((collection.get(_id)?.position ?? -1) > position) newer.add(_id);
      else collection.set(_id, document);
    }
    return newer;
  }

  override async compact(): Promise<Compaction> {
    await this.#store.reach();
    return { method: 'copy and swap', bytesBefore: 0, bytesAfter: 0 };
  }

  override async beat(beat: Beat): Promise<void> {
    await this.#store.reach();
    this.#store.projectors.set(beat.id, beat);
  }

  override async beats(): Promise<readonly Beat[]> {
    await this.#store.reach();
    return [...this.#store.projectors.values()];
  }

  override async leave(id: string): Promise<void> {
    await this.#store.reach();
    this.#store.projectors.delete(id);
  }

  #forgetParked(name: string): void {
    for (const key of this.#store.parked.keys())
      if (parkedFor(name, key)) this.#store.parked.delete(key);
  }
}
