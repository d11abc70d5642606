import type { Collection, Db, MongoClient, UpdateFilter } from 'mongodb';
import type { Projection, ViewIndex } from '#domain';
import { CheckpointWatch } from './checkpoint-watch.js';
import type { Clock, Timer } from './clock.js';
import {
  attempt,
  CHECKPOINTS,
  indexSpecs,
  OPERATIONS_DATABASE,
  QUERY_MS_MAX,
  VIEWS_DATABASE,
} from './mongodb-client.js';
import { Operations, Views, type Query, type Stored } from './views.js';

type Row = { _id: string; position: number; scanned?: number; gone?: boolean };

const projectionOf = (fields: readonly string[]): Record<string, 1> =>
  Object.fromEntries(['position', 'gone', ...fields].map((name) => [name, 1]));

/** The read models in MongoDB. Throws `ViewsUnavailable` where it cannot be reached. */
export class MongoViews extends Views {
  readonly #db: Db;
  readonly #client: MongoClient;
  readonly #watch: CheckpointWatch;

  constructor(client: MongoClient, clock: Clock, timer: Timer) {
    super();
    this.#client = client;
    this.#db = client.db(VIEWS_DATABASE);
    this.#watch = new CheckpointWatch(() => this.#checkpoints(), clock, timer);
  }

  override async find<D extends object>(
    view: string,
    { filter, sort, limit, fields }: Query,
  ): Promise<readonly Stored<D>[]> {
    const options = {
      maxTimeMS: QUERY_MS_MAX,
      ...(sort ? { sort } : {}),
      ...(limit === undefined ? {} : { limit, batchSize: limit + 1 }),
      ...(fields ? { projection: projectionOf(fields) } : {}),
    };
    const collection = this.#db.collection<Row>(view);
    const found = await attempt(() =>
      collection.find<Stored<D> & { gone?: boolean }>(filter, options).toArray(),
    );
    // A deleted document has none of its fields left: only a question by id meets it.
    return found.filter(({ gone }) => gone !== true);
  }

  override get<D extends object>(
    view: string,
    ids: readonly string[],
  ): Promise<readonly Stored<D>[]> {
    return ids.length === 0
      ? Promise.resolve([])
      : this.find<D>(view, { filter: { _id: ids.length === 1 ? ids[0] : { $in: [...ids] } } });
  }

  override checkpoint(view: string): Promise<number> {
    return this.#watch.now(view);
  }

  override reached(views: readonly string[], position: number, withinMs: number): Promise<boolean> {
    return this.#watch.reached(views, position, withinMs);
  }

  override async prepare({ name, indexes }: Projection<object, never>): Promise<void> {
    await attempt(() => this.#db.collection(name).createIndexes(indexSpecs(indexes)));
  }

  override close(): Promise<void> {
    return this.#client.close();
  }

  async #checkpoints(): Promise<ReadonlyMap<string, number>> {
    const options = { maxTimeMS: QUERY_MS_MAX, projection: { position: 1, scanned: 1 } };
    const found = await attempt(() =>
      this.#db.collection<Row>(CHECKPOINTS).find<Row>({}, options).toArray(),
    );
    return new Map(
      found.map(({ _id, position, scanned }) => [_id, Math.max(position, scanned ?? -1)]),
    );
  }
}

/** What the running system needs beside the log. */
export class MongoOperations extends Operations {
  readonly #db: Db;

  constructor(client: MongoClient) {
    super();
    this.#db = client.db(OPERATIONS_DATABASE);
  }

  override async get<D extends object>(collection: string, id: string) {
    return attempt(async () => {
      const found = await this.#collection(collection).findOne<D & { _id: string }>({ _id: id });
      return found ?? undefined;
    });
  }

  override async put(collection: string, id: string, document: object): Promise<void> {
    await attempt(() =>
      this.#collection(collection).replaceOne({ _id: id }, document, { upsert: true }),
    );
  }

  override async increment<D extends object>(collection: string, id: string, field: string) {
    return attempt(async () => {
      const oneMore: UpdateFilter<{ _id: string }> = { $inc: { [field]: 1 } };
      const found: unknown = await this.#collection(collection).findOneAndUpdate(
        { _id: id },
        oneMore,
        { returnDocument: 'after' },
      );
      // The caller names the shape of its own collection.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return (found as (D & { _id: string }) | null) ?? undefined;
    });
  }

  override async change<D extends object>(
    collection: string,
    id: string,
    where: Readonly<Record<string, unknown>>,
    set: Readonly<Record<string, unknown>>,
  ) {
    return attempt(async () => {
      const found: unknown = await this.#collection(collection).findOneAndUpdate(
        { ...where, _id: id },
        { $set: set },
        { returnDocument: 'after' },
      );
      // The caller names the shape of its own collection.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return (found as (D & { _id: string }) | null) ?? undefined;
    });
  }

  override async take<D extends object>(collection: string, id: string) {
    return attempt(async () => {
      const found: unknown = await this.#collection(collection).findOneAndDelete({ _id: id });
      // The caller names the shape of its own collection.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return (found as (D & { _id: string }) | null) ?? undefined;
    });
  }

  override async prepare(collection: string, indexes: readonly ViewIndex[]): Promise<void> {
    await attempt(() => this.#collection(collection).createIndexes(indexSpecs(indexes)));
  }

  override async putAll(
    collection: string,
    documents: readonly Readonly<{ _id: string }>[],
  ): Promise<void> {
    if (documents.length === 0) return;
    const replacements = documents.map((document) => {
      const { _id, ...replacement } = document;
      return { replaceOne: { filter: { _id }, replacement, upsert: true } };
    });
    await attempt(() => this.#collection(collection).bulkWrite(replacements, { ordered: false }));
  }

  override async find<D extends object>(collection: string, query: Query) {
    const { filter, sort, limit, fields } = query;
    const options = {
      maxTimeMS: QUERY_MS_MAX,
      ...(sort ? { sort } : {}),
      ...(limit === undefined ? {} : { limit, batchSize: limit + 1 }),
      ...(fields ? { projection: projectionOf(fields) } : {}),
    };
    return attempt(() =>
      this.#collection(collection).find<D & { _id: string }>(filter, options).toArray(),
    );
  }

  override async clear(collection: string, filter: Query['filter']): Promise<void> {
    await attempt(() => this.#collection(collection).deleteMany(filter));
  }

  #collection(name: string): Collection<{ _id: string }> {
    return this.#db.collection<{ _id: string }>(name);
  }
}
