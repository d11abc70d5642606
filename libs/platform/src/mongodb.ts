import {
  MongoClient,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type UpdateFilter,
} from 'mongodb';
import type { Projection, ViewIndex } from '#domain';
import type { Clock, Timer } from './clock.js';
import type { Checkpoint } from './event-store.js';
import { Operations, Views, ViewWriter, type Parked, type Query, type Stored } from './views.js';

/** Databases of one deployment: folds that can be rebuilt, and what the running system needs. */
const VIEWS_DATABASE = 'views';
const OPERATIONS_DATABASE = 'operations';
const CHECKPOINTS = 'checkpoints';
const PARKED = 'parked';
/** A query of a client may run this long (ms); the robustness budget for a read. */
const QUERY_MS_MAX = 2_000;
/** How often waiting reads look at the checkpoints (ms): the projector's batches are as far apart. */
const LOOK_MS = 5;
const DUPLICATE_KEY = 11_000;

type Document = { _id: string; position: number; gone?: boolean };

/** Connects to MongoDB, or to the embedded server that speaks its protocol. */
export const connectMongo = (url: string): MongoClient =>
  new MongoClient(url, {
    writeConcern: { w: 'majority' },
    ignoreUndefined: true,
    serverSelectionTimeoutMS: 5_000,
    // One connection carries much; more only cost memory on both sides.
    maxPoolSize: 16,
  });

const isDuplicate = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === DUPLICATE_KEY;

/** The read models in MongoDB. */
export class MongoViews extends Views {
  readonly #db: Db;
  readonly #client: MongoClient;
  readonly #clock: Clock;
  readonly #timer: Timer;
  /** Checkpoints as last seen; they only grow, so an old one is only ever too careful. */
  readonly #seen = new Map<string, number>();
  #looking: Promise<void> | undefined;

  constructor(client: MongoClient, clock: Clock, timer: Timer) {
    super();
    this.#client = client;
    this.#db = client.db(VIEWS_DATABASE);
    this.#clock = clock;
    this.#timer = timer;
  }

  #collection(view: string): Collection<Document> {
    return this.#db.collection<Document>(view);
  }

  override async find<D extends object>(
    view: string,
    { filter, sort, limit }: Query,
  ): Promise<readonly Stored<D>[]> {
    const cursor = this.#collection(view).find<Stored<D> & { gone?: boolean }>(filter, {
      maxTimeMS: QUERY_MS_MAX,
      ...(sort ? { sort } : {}),
      ...(limit === undefined ? {} : { limit, batchSize: limit + 1 }),
    });
    const found = await cursor.toArray();
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

  override async checkpoint(view: string): Promise<number> {
    await this.#look();
    return this.#seen.get(view) ?? -1;
  }

  /** All waiting reads of a process share one look at the checkpoints. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    const options = { maxTimeMS: QUERY_MS_MAX };
    const found = await this.#collection(CHECKPOINTS).find({}, options).toArray();
    for (const { _id, position } of found) this.#seen.set(_id, position);
  }

  override async reached(
    views: readonly string[],
    position: number,
    withinMs: number,
  ): Promise<boolean> {
    const behind = () => views.some((view) => (this.#seen.get(view) ?? -1) < position);
    const deadline = this.#clock.monotonic() + withinMs;
    for (let wait = LOOK_MS; behind(); wait = Math.min(wait * 2, LOOK_MS * 10)) {
      await this.#look();
      if (!behind()) return true;
      if (this.#clock.monotonic() >= deadline) return false;
      await this.#timer.sleep(wait);
    }
    return true;
  }

  override async prepare({ name, indexes }: Projection<object, never>): Promise<void> {
    await makeIndexes(this.#collection(name), indexes);
  }

  override close(): Promise<void> {
    return this.#client.close();
  }
}

const makeIndexes = async (
  collection: Collection<Document>,
  indexes: readonly ViewIndex[],
): Promise<void> => {
  const specs = indexes.map(({ key, unique }) => ({ key: { ...key }, unique: unique === true }));
  if (specs.length > 0) await collection.createIndexes(specs);
};

/** Writes read models: documents first, each guarded by its position, then the checkpoint. */
export class MongoViewWriter extends ViewWriter {
  readonly #db: Db;
  /** Appended to the collections' names while a view is built beside the live one. */
  readonly #suffix: string;

  constructor(client: MongoClient, suffix = '') {
    super();
    this.#db = client.db(VIEWS_DATABASE);
    this.#suffix = suffix;
  }

  #collection(view: string): Collection<Document> {
    return this.#db.collection<Document>(`${view}${this.#suffix}`);
  }

  override async prepare({ name, indexes }: Projection<object, never>): Promise<void> {
    await makeIndexes(this.#collection(name), indexes);
  }

  override async load(
    view: string,
    ids: readonly string[],
  ): Promise<readonly (Stored<object> & { gone?: boolean })[]> {
    if (ids.length === 0) return [];
    return this.#collection(view)
      .find({ _id: { $in: [...ids] } })
      .toArray();
  }

  override async write(view: string, documents: readonly Stored<object>[]): Promise<boolean> {
    if (documents.length === 0) return true;
    const writes = documents.map((document): AnyBulkWriteOperation<Document> => {
      const { _id, position } = document;
      // A writer that is behind finds no older document, and its insert meets the newer one.
      const filter = { _id, position: { $lt: position } };
      return { replaceOne: { filter, replacement: document, upsert: true } };
    });
    try {
      await this.#collection(view).bulkWrite(writes, { ordered: false });
      return true;
    } catch (error) {
      if (isDuplicate(error)) return false;
      throw error;
    }
  }

  override async forgetGone(view: string, upTo: number): Promise<void> {
    await this.#collection(view).deleteMany({ gone: true, position: { $lte: upTo } });
  }

  override async checkpoint(view: string): Promise<Checkpoint | undefined> {
    const found = await this.#db
      .collection<{ _id: string } & Checkpoint>(CHECKPOINTS)
      .findOne({ _id: `${view}${this.#suffix}` });
    return found ? { position: found.position, eventId: found.eventId } : undefined;
  }

  override async saveCheckpoint(view: string, { position, eventId }: Checkpoint): Promise<void> {
    const _id = `${view}${this.#suffix}`;
    const checkpoints = this.#db.collection<{ _id: string } & Checkpoint>(CHECKPOINTS);
    try {
      await checkpoints.replaceOne(
        { _id, position: { $lt: position } },
        { position, eventId },
        { upsert: true },
      );
    } catch (error) {
      // Another projector is further on already.
      if (!isDuplicate(error)) throw error;
    }
  }

  override async park(parked: Parked): Promise<void> {
    const _id = `${parked.view}${this.#suffix}:${parked.stream}`;
    await this.#db
      .collection<{ _id: string } & Parked>(PARKED)
      .replaceOne({ _id }, parked, { upsert: true });
  }

  override parked(view: string): Promise<readonly Parked[]> {
    const from = `${view}${this.#suffix}:`;
    return this.#db
      .collection<{ _id: string } & Parked>(PARKED)
      .find({ _id: { $gte: from, $lt: `${from}\uffff` } })
      .toArray();
  }
}

/** What the running system needs beside the log. */
export class MongoOperations extends Operations {
  readonly #db: Db;

  constructor(client: MongoClient) {
    super();
    this.#db = client.db(OPERATIONS_DATABASE);
  }

  #collection(name: string): Collection<{ _id: string }> {
    return this.#db.collection<{ _id: string }>(name);
  }

  override async get<D extends object>(
    collection: string,
    id: string,
  ): Promise<(D & { _id: string }) | undefined> {
    return (
      (await this.#collection(collection).findOne<D & { _id: string }>({ _id: id })) ?? undefined
    );
  }

  override async put(collection: string, id: string, document: object): Promise<void> {
    await this.#collection(collection).replaceOne({ _id: id }, document, { upsert: true });
  }

  override async increment<D extends object>(
    collection: string,
    id: string,
    field: string,
  ): Promise<(D & { _id: string }) | undefined> {
    const counting: UpdateFilter<{ _id: string }> = { $inc: { [field]: 1 } };
    const found: unknown = await this.#collection(collection).findOneAndUpdate(
      { _id: id },
      counting,
      { returnDocument: 'after' },
    );
    // The caller names the shape of its own collection.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (found as (D & { _id: string }) | null) ?? undefined;
  }

  override async take<D extends object>(
    collection: string,
    id: string,
  ): Promise<(D & { _id: string }) | undefined> {
    const found: unknown = await this.#collection(collection).findOneAndDelete({ _id: id });
    // The caller names the shape of its own collection.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (found as (D & { _id: string }) | null) ?? undefined;
  }
}
