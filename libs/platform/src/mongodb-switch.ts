import type { Collection, Db, MongoClient } from 'mongodb';
import { attempt, CHECKPOINTS, OPERATIONS_DATABASE, VIEWS_DATABASE } from './mongodb-client.js';
import { metBy, MongoViewWriter, PARKED } from './mongodb-writer.js';
import {
  NEXT,
  ViewsHeld,
  ViewSwitch,
  type Beat,
  type Compaction,
  type Kept,
  type Parked,
  type ViewCheckpoint,
  type ViewWriter,
} from './view-writer.js';

/** Projectors that run, by a random id; losing it costs a rebuild's switch a few seconds. */
const PROJECTORS = 'projectors';

/** MongoDB compacts on a primary only when told to. */
const FORCED = { force: true };

type CheckpointRow = { _id: string } & ViewCheckpoint;
type ParkedRow = { _id: string } & Parked;
type BeatRow = { _id: string } & Omit<Beat, 'id'>;

/** Replaces views in MongoDB beside running projectors. */
export class MongoViewSwitch extends ViewSwitch {
  readonly #client: MongoClient;
  readonly #db: Db;
  readonly #checkpoints: Collection<CheckpointRow>;
  readonly #parked: Collection<ParkedRow>;
  readonly #projectors: Collection<BeatRow>;

  constructor(client: MongoClient) {
    super();
    this.#client = client;
    this.#db = client.db(VIEWS_DATABASE);
    this.#checkpoints = this.#db.collection<CheckpointRow>(CHECKPOINTS);
    const operations = client.db(OPERATIONS_DATABASE);
    this.#parked = operations.collection<ParkedRow>(PARKED);
    this.#projectors = operations.collection<BeatRow>(PROJECTORS);
  }

  override next(): ViewWriter {
    return new MongoViewWriter(this.#client, NEXT);
  }

  override async clear(view: string): Promise<void> {
    await attempt(async () => {
      await this.#db.collection(view + NEXT).drop();
      await this.#checkpoints.deleteOne({ _id: view + NEXT });
      await this.#parked.deleteMany(parkedFor(view + NEXT));
    });
  }

  override async hold(views: readonly string[], by: string): Promise<void> {
    const free = { _id: { $in: [...views] }, hold: { $exists: false } };
    const { modifiedCount } = await attempt(() =>
      this.#checkpoints.updateMany(free, { $set: { hold: { by, beat: 0 } } }),
    );
    if (modifiedCount === views.length) return;
    await this.release(views, by);
    throw new ViewsHeld('A view is being replaced by another.');
  }

  override async renew(views: readonly string[], by: string): Promise<void> {
    const { matchedCount } = await attempt(() =>
      this.#checkpoints.updateMany(heldBy(views, by), { $inc: { 'hold.beat': 1 } }),
    );
    if (matchedCount !== views.length) throw new ViewsHeld('The hold was broken: it was too slow.');
  }

  override async release(views: readonly string[], by: string): Promise<void> {
    await attempt(() => this.#checkpoints.updateMany(heldBy(views, by), { $unset: { hold: '' } }));
  }

  override async swap(view: string): Promise<void> {
    await attempt(async () => {
      const built = await this.#checkpoints.findOne({ _id: view + NEXT });
      if (!built) throw new Error(`There is no ${view}${NEXT} to put in the place of ${view}.`);
      await this.#db.renameCollection(view + NEXT, view, { dropTarget: true });
      // Dying before this leaves the old checkpoint, at or before the new documents: harmless.
      const { position, eventId, scanned } = built;
      const at = { $set: { position, eventId, scanned }, $inc: { generation: 1 } };
      await this.#checkpoints.updateOne({ _id: view }, at);
      await this.#checkpoints.deleteOne({ _id: view + NEXT });
      await this.#parked.deleteMany(parkedFor(view));
      const parked = await this.#parked.find(parkedFor(view + NEXT)).toArray();
      for (const { _id, ...row } of parked)
        await this.#parked.replaceOne({ _id: `${view}:${row.stream}` }, row, { upsert: true });
      await this.#parked.deleteMany(parkedFor(view + NEXT));
    });
  }

  override async mend(view: string, stream: string, documents: readonly Kept[]): Promise<void> {
    await attempt(async () => {
      const writes = documents.map((replacement) => ({
        replaceOne: { filter: { _id: replacement._id }, replacement, upsert: true },
      }));
      const collection = this.#db.collection<Kept>(view);
      if (writes.length > 0) await collection.bulkWrite(writes, { ordered: false });
      await this.#checkpoints.updateOne({ _id: view }, { $inc: { generation: 1 } });
      await this.#parked.deleteOne({ _id: `${view}:${stream}` });
    });
  }

  override async replace(view: string, documents: readonly Kept[]): Promise<ReadonlySet<string>> {
    if (documents.length === 0) return new Set();
    const writes = documents.map((replacement) => {
      const { _id, position } = replacement;
      const filter = { _id, position: { $lte: position } };
      return { replaceOne: { filter, replacement, upsert: true } };
    });
    try {
      await attempt(() => this.#db.collection<Kept>(view).bulkWrite(writes, { ordered: false }));
      return new Set();
    } catch (error) {
      return new Set(metBy(error).flatMap((index) => documents[index]?._id ?? []));
    }
  }

  override async compact(): Promise<Compaction> {
    return attempt(async () => {
      const { process } = await this.#client.db('admin').command({ serverStatus: 1 });
      const isEmbedded = process === 'embedded-document-store';
      const total = { bytesBefore: 0, bytesAfter: 0 };
      for (const name of [VIEWS_DATABASE, OPERATIONS_DATABASE]) {
        const db = this.#client.db(name);
        for (const { name: collection } of await db.listCollections().toArray()) {
          const before = await db.command({ collStats: collection });
          const done = await db.command({ compact: collection, ...(isEmbedded ? {} : FORCED) });
          // The embedded server has one file, and is done with all of it.
          if (isEmbedded)
            return {
              method: 'copy and swap',
              bytesBefore: Number(done['bytesBefore']),
              bytesAfter: Number(done['bytesAfter']),
            };
          const after = await db.command({ collStats: collection });
          total.bytesBefore += Number(before['storageSize'] ?? 0);
          total.bytesAfter += Number(after['storageSize'] ?? 0);
        }
      }
      return { method: 'compact', ...total };
    });
  }

  override async beat({ id, ...beat }: Beat): Promise<void> {
    await attempt(() => this.#projectors.replaceOne({ _id: id }, beat, { upsert: true }));
  }

  override async beats(): Promise<readonly Beat[]> {
    const rows = await attempt(() => this.#projectors.find({}).toArray());
    return rows.map(({ _id: id, ...beat }) => ({ id, ...beat }));
  }

  override async leave(id: string): Promise<void> {
    await attempt(() => this.#projectors.deleteOne({ _id: id }));
  }
}

const heldBy = (views: readonly string[], by: string) => ({
  _id: { $in: [...views] },
  'hold.by': by,
});

/** Names of views have no colon. */
const parkedFor = (view: string) => ({ _id: { $gte: `${view}:`, $lt: `${view}:\uffff` } });
