import {
  MongoBulkWriteError,
  type AnyBulkWriteOperation,
  type Collection,
  type Db,
  type MongoClient,
} from 'mongodb';
import type { Projection } from '#domain';
import type { Checkpoint } from './event-store.js';
import {
  attempt,
  CHECKPOINTS,
  DUPLICATE_KEY,
  indexSpecs,
  OPERATIONS_DATABASE,
  VIEWS_DATABASE,
} from './mongodb-client.js';
import {
  NEXT,
  ViewsHeld,
  ViewWriter,
  type Kept,
  type Parked,
  type ViewCheckpoint,
} from './view-writer.js';

/** Streams that wait for a view, `<view>:<stream>`; losing it means that one must rebuild. */
export const PARKED = 'parked';

type Row = Kept & { position: number };
type CheckpointRow = { _id: string } & ViewCheckpoint;
type ParkedRow = { _id: string } & Parked;

/** People who were erased, one document each, in the database of the views. */
const ERASED = 'erased';

/** From so many on, inserts are worth a command of their own (measured on the embedded server). */
const INSERTS_MIN = 20;
/** No document is at or before this. */
const BEFORE_THE_LOG = -1;

/** Writes read models: documents first, each guarded by its position, then the checkpoint. */
export class MongoViewWriter extends ViewWriter {
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #parked: Collection<ParkedRow>;
  readonly #checkpoints: Collection<CheckpointRow>;
  /** Added to the views' names while they are built beside the live ones. */
  readonly #suffix: '' | typeof NEXT;

  constructor(client: MongoClient, suffix: '' | typeof NEXT = '') {
    super();
    this.#client = client;
    this.#db = client.db(VIEWS_DATABASE);
    this.#checkpoints = this.#db.collection<CheckpointRow>(CHECKPOINTS);
    this.#parked = client.db(OPERATIONS_DATABASE).collection<ParkedRow>(PARKED);
    this.#suffix = suffix;
  }

  override async prepare({ name, indexes }: Projection<object, never>): Promise<void> {
    await attempt(async () => {
      await this.#collection(name).createIndexes(indexSpecs(indexes));
      const nowhere = { position: BEFORE_THE_LOG, eventId: '', scanned: BEFORE_THE_LOG };
      await this.#checkpoints.updateOne(
        { _id: this.#named(name) },
        { $setOnInsert: { ...nowhere, generation: 0 } },
        { upsert: true },
      );
    });
  }

  override load(view: string, ids: readonly string[]): Promise<readonly Kept[]> {
    if (ids.length === 0) return Promise.resolve([]);
    return attempt(() =>
      this.#collection(view)
        .find({ _id: { $in: [...ids] } })
        .toArray(),
    );
  }

  override page(view: string, after: string, limit: number): Promise<readonly Kept[]> {
    return attempt(() =>
      this.#collection(view)
        .find({ _id: { $gt: after } }, { sort: { _id: 1 }, limit, batchSize: limit + 1 })
        .toArray(),
    );
  }

  override async write(
    view: string,
    documents: readonly Kept[],
    fresh: ReadonlySet<string>,
  ): Promise<readonly string[]> {
    // Inserts cost half of guarded replacements, but a mixture goes out as two commands.
    const isMostlyFresh = fresh.size > INSERTS_MIN || fresh.size === documents.length;
    const refused = await this.#bulk(view, documents, (document) =>
      isMostlyFresh && fresh.has(document._id) ? { insertOne: { document } } : guarded(document),
    );
    // Another writer may have inserted an older one between the look and the insert: once a
    // document is there, the guard alone decides.
    const met = await this.#bulk(view, refused, guarded);
    return met.map(({ _id }) => _id);
  }

  override async forget(view: string, ids: readonly string[], upTo: number): Promise<void> {
    if (ids.length === 0) return;
    const filter = { _id: { $in: [...ids] }, gone: true, position: { $lte: upTo } } as const;
    await attempt(() => this.#collection(view).deleteMany(filter));
  }

  override async checkpoints(): Promise<ReadonlyMap<string, ViewCheckpoint>> {
    const rows = await attempt(() => this.#checkpoints.find({}).toArray());
    const own = rows.filter(({ _id }) => _id.endsWith(NEXT) === (this.#suffix === NEXT));
    return new Map(
      own.map(({ _id, ...at }) => [_id.slice(0, _id.length - this.#suffix.length), at]),
    );
  }

  override async save(
    views: ReadonlyMap<string, number>,
    { position, eventId, scanned }: Checkpoint & Readonly<{ scanned: number }>,
  ): Promise<void> {
    const moves = [...views].map(([view, generation]) => ({
      updateOne: {
        filter: {
          _id: this.#named(view),
          generation,
          scanned: { $lt: scanned },
        },
        update: { $set: { position, eventId, scanned } },
      },
    }));
    const { matchedCount } = await attempt(() =>
      this.#checkpoints.bulkWrite(moves, { ordered: false }),
    );
    if (matchedCount === views.size) return;
    const found = await this.checkpoints();
    for (const [view, generation] of views) {
      // One that is as far or further on is another projector's work, and as good.
      if (found.get(view)?.generation === generation) continue;
      throw new ViewsHeld(`The view ${view} was replaced.`);
    }
  }

  override async parked(view: string): Promise<readonly Parked[]> {
    const from = `${this.#named(view)}:`;
    const rows = await attempt(() =>
      this.#parked.find({ _id: { $gte: from, $lt: `${from}\uffff` } }).toArray(),
    );
    return rows.map(({ _id, ...parked }) => parked);
  }

  override async erased(): Promise<ReadonlySet<string>> {
    const rows = await attempt(() => this.#db.collection<{ _id: string }>(ERASED).find().toArray());
    return new Set(rows.map(({ _id }) => _id));
  }

  override async noteErased(_id: string): Promise<void> {
    const erased = this.#db.collection<{ _id: string }>(ERASED);
    await attempt(() => erased.replaceOne({ _id }, {}, { upsert: true }));
  }

  override async park(parked: Parked): Promise<void> {
    const _id = `${this.#named(parked.view)}:${parked.stream}`;
    const { attempts: _attempts, waiting: _waiting, at, ...latest } = parked;
    await attempt(() =>
      this.#parked.updateOne(
        { _id },
        { $set: latest, $setOnInsert: { at, waiting: 0 }, $inc: { attempts: 1 } },
        { upsert: true },
      ),
    );
  }

  override async countWaiting(view: string, waiting: ReadonlyMap<string, number>): Promise<void> {
    if (waiting.size === 0) return;
    const counts = [...waiting].map(([stream, count]) => ({
      updateOne: {
        filter: { _id: `${this.#named(view)}:${stream}` },
        update: { $inc: { waiting: count } },
      },
    }));
    await attempt(() => this.#parked.bulkWrite(counts, { ordered: false }));
  }

  override close(): Promise<void> {
    return this.#client.close();
  }

  #named(view: string): string {
    return `${view}${this.#suffix}`;
  }

  #collection(view: string): Collection<Row> {
    return this.#db.collection<Row>(this.#named(view));
  }

  /** Gives the documents that met one that is as new or newer. */
  async #bulk(
    view: string,
    documents: readonly Kept[],
    operationOf: (document: Kept) => AnyBulkWriteOperation<Row>,
  ): Promise<readonly Kept[]> {
    if (documents.length === 0) return [];
    const operations = documents.map(operationOf);
    try {
      await attempt(() => this.#collection(view).bulkWrite(operations, { ordered: false }));
      return [];
    } catch (error) {
      return metBy(error).flatMap((index) => documents[index] ?? []);
    }
  }
}

/** Places of those writes of a bulk that met a document with their id; throws any other error. */
export const metBy = (error: unknown): readonly number[] => {
  if (!(error instanceof MongoBulkWriteError)) throw error;
  const errors = [error.writeErrors].flat();
  if (!errors.every(({ code }) => code === DUPLICATE_KEY)) throw error;
  return errors.map(({ index }) => index);
};

/** Replaces what is older. One that is behind finds nothing older, and its insert meets the newer. */
const guarded = (document: Kept) => {
  const { _id, position } = document;
  const filter = { _id, position: { $lt: position } };
  return { replaceOne: { filter, replacement: document, upsert: true } };
};
