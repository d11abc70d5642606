import { Query as Filter } from 'mingo';
import { VIEWS, type Event, type Projection, type Recorded } from '#domain';
import {
  Operations,
  shown,
  Views,
  type Codec,
  type EventStore,
  type Query,
  type Stored,
} from '#platform';

type AnyProjection = Projection<object, Event>;
type Documents = Map<string, Stored<object>>;

const PAGE = 1_000;
const TRY_AGAIN_MS = 5;

const fieldOf = (document: object, field: string): string | number => {
  const value: unknown = Reflect.get(document, field);
  return typeof value === 'number' ? value : String(value);
};

const inOrder =
  (sort: Readonly<Record<string, 1 | -1>>) =>
  (one: object, other: object): number => {
    for (const [field, direction] of Object.entries(sort)) {
      const [a, b] = [fieldOf(one, field), fieldOf(other, field)];
      if (a !== b) return (a < b ? -1 : 1) * direction;
    }
    return 0;
  };

// A view's documents are what its projection makes; the caller names their type, as with a driver.
const copies = <D extends object>(documents: readonly object[]): readonly Stored<D>[] =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  structuredClone(documents) as readonly Stored<D>[];

// oxlint-disable-next-line typescript/no-unnecessary-type-parameters
const answersOf = <D extends object>(
  documents: readonly object[],
  { filter, sort, limit }: Query,
): readonly D[] => {
  const matches = new Filter({ ...filter });
  const found = documents.filter((document) => matches.test({ ...document }));
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return structuredClone((sort ? found.toSorted(inOrder(sort)) : found).slice(0, limit)) as D[];
};

/**
 * The read models as the domain folds them, brought up to date at each question unless `paused`: no
 * projector has to run, and a test decides how far it lags.
 */
export class FoldedViews extends Views {
  /** While set, nothing more is folded: a projector that lags. */
  paused = false;
  readonly #documents = new Map<string, Documents>();
  #checkpoint = -1;
  #folding: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: EventStore,
    private readonly codec: Codec,
  ) {
    super();
    for (const name of Object.keys(VIEWS)) this.#documents.set(name, new Map());
  }

  override async find<D extends object>(view: string, query: Query): Promise<readonly Stored<D>[]> {
    const { filter, sort, limit } = query;
    await this.#fold();
    const matches = new Filter({ ...filter });
    const found = [...this.#of(view).values()].filter((document) => matches.test(document));
    const sorted = sort ? found.toSorted(inOrder(sort)) : found;
    return copies<D>(sorted.slice(0, limit).map((document) => shown(document, query)));
  }

  override async get<D extends object>(
    view: string,
    ids: readonly string[],
  ): Promise<readonly Stored<D>[]> {
    await this.#fold();
    const found = ids.flatMap((id) => this.#of(view).get(id) ?? []);
    return copies<D>(found);
  }

  override async checkpoint(): Promise<number> {
    await this.#fold();
    return this.#checkpoint;
  }

  override async reached(
    _views: readonly string[],
    position: number,
    withinMs: number,
  ): Promise<boolean> {
    for (const end = performance.now() + withinMs; ;) {
      await this.#fold();
      if (this.#checkpoint >= position) return true;
      if (performance.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }

  override prepare(): Promise<void> {
    return Promise.resolve();
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  #of(view: string): Documents {
    const documents = this.#documents.get(view);
    if (!documents) throw new Error(`There is no view ${view}.`);
    return documents;
  }

  #fold(): Promise<void> {
    this.#folding = this.#folding.then(() => this.#foldOn());
    return this.#folding;
  }

  async #foldOn(): Promise<void> {
    while (!this.paused) {
      const after = this.#checkpoint < 0 ? undefined : this.#checkpoint;
      const streams = Object.values(VIEWS).flatMap((view) => view.streams);
      const page = await this.store.readAll([...new Set(streams)], after, PAGE);
      for (const logged of page) {
        const event = await this.codec.decode(logged, true);
        for (const projection of Object.values(VIEWS))
          // oxlint-disable-next-line typescript/no-unsafe-type-assertion
          this.#apply(projection as unknown as AnyProjection, event);
        this.#checkpoint = event.position;
      }
      if (page.length < PAGE) return;
    }
  }

  #apply(projection: AnyProjection, event: Recorded): void {
    if (!projection.streams.some((prefix) => event.stream.startsWith(prefix))) return;
    const documents = this.#of(projection.name);
    for (const key of projection.keysOf(event)) {
      const before = documents.get(key);
      const after = projection.evolve(before, event, key);
      if (after) documents.set(key, { ...after, _id: key, position: event.position });
      else documents.delete(key);
    }
  }
}

/** The small documents of a running system, in memory. */
export class MemoryOperations extends Operations {
  readonly #documents = new Map<string, object & { _id: string }>();

  override get<D extends object>(collection: string, id: string) {
    return Promise.resolve(this.#at<D>(`${collection}/${id}`));
  }

  override put(collection: string, id: string, document: object): Promise<void> {
    this.#documents.set(`${collection}/${id}`, { ...document, _id: id });
    return Promise.resolve();
  }

  override increment<D extends object>(collection: string, id: string, field: string) {
    const document = this.#documents.get(`${collection}/${id}`);
    if (document) Reflect.set(document, field, Number(Reflect.get(document, field) ?? 0) + 1);
    return Promise.resolve(this.#at<D>(`${collection}/${id}`));
  }

  override change<D extends object>(
    collection: string,
    id: string,
    where: Readonly<Record<string, unknown>>,
    set: Readonly<Record<string, unknown>>,
  ) {
    const document = this.#documents.get(`${collection}/${id}`);
    const isMeant =
      document &&
      Object.entries(where).every(([name, value]) => Reflect.get(document, name) === value);
    if (!isMeant) return Promise.resolve(undefined);
    Object.assign(document, set);
    return Promise.resolve(this.#at<D>(`${collection}/${id}`));
  }

  override take<D extends object>(collection: string, id: string) {
    const taken = this.#at<D>(`${collection}/${id}`);
    this.#documents.delete(`${collection}/${id}`);
    return Promise.resolve(taken);
  }

  override prepare(): Promise<void> {
    return Promise.resolve();
  }

  override async putAll(
    collection: string,
    documents: readonly Readonly<{ _id: string }>[],
  ): Promise<void> {
    for (const document of documents) await this.put(collection, document._id, document);
  }

  override find<D extends object>(collection: string, query: Query) {
    const kept = [...this.#documents].filter(([key]) => key.startsWith(`${collection}/`));
    return Promise.resolve(
      answersOf<D & { _id: string }>(
        kept.map(([, one]) => one),
        query,
      ),
    );
  }

  override async clear(collection: string, filter: Query['filter']): Promise<void> {
    for (const { _id } of await this.find<object>(collection, { filter }))
      this.#documents.delete(`${collection}/${_id}`);
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  #at<D extends object>(key: string): (D & { _id: string }) | undefined {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return structuredClone(this.#documents.get(key)) as (D & { _id: string }) | undefined;
  }
}
