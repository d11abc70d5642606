import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ABORT, type Database } from 'lmdb';
import { CommandError } from '../errors.js';
import {
  type Collection,
  collectionFromJson,
  collectionOf,
  collectionToJson,
  namespaceOf,
} from './catalog.js';
import { copyFolder, openFolder, removeCopy, swapIn, type Opened } from './copy.js';
import { fromJson } from './json.js';
import { lockFolder } from './lock.js';
import { checkPages } from './pages.js';

/** Version of what is written in a data folder; a folder of a higher one is refused. */
const FORMAT = 1;
/** Keys removed in one transaction when a dropped tree is cleared away. */
const SWEEP_KEYS_MAX = 2_000;

const NO_TOTALS = '{"documents":0,"bytes":0}';

interface Job {
  run(): void;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * The data folder: one LMDB tree holds all documents and index entries, each under the number of
 * its collection or index; another holds the catalog. Writes are grouped: one durable transaction
 * for all commands that wait.
 */
export class Store {
  /** The catalog as the running transaction leaves it, and as it was last committed. */
  private working: ReadonlyMap<string, Collection> = new Map();
  private visible: ReadonlyMap<string, Collection> = new Map();
  private discarded: number[] = [];
  private isWriting = false;
  /** A transaction came to nothing: what is in memory must be read again. */
  private isStale = false;
  private readonly changed = new Set<Collection>();
  private waiting: Job[] = [];
  private isScheduled = false;
  private isClosing = false;
  private last: Promise<void> = Promise.resolve();
  private nextTree = 1;

  private constructor(
    private opened: Opened,
    private readonly folder: string,
    private readonly unlock: () => void,
  ) {}

  /** All documents and index entries. */
  get data(): Database<Buffer, Buffer> {
    return this.opened.data;
  }

  private get meta(): Opened['meta'] {
    return this.opened.meta;
  }

  private get root(): Opened['root'] {
    return this.opened.root;
  }

  /**
   * Opens a data folder, made if absent. A folder that cannot be used is refused with the reason.
   */
  static open(folder: string): Store {
    mkdirSync(folder, { recursive: true });
    const unlock = lockFolder(folder);
    let opened: Opened | undefined;
    try {
      const file = join(folder, 'data.mdb');
      if (existsSync(file)) checkPages(file);
      removeCopy(folder);
      opened = openFolder(folder);
      const store = new Store(opened, folder, unlock);
      store.checkFormat(folder);
      store.reload();
      store.sweepAll();
      return store;
    } catch (error) {
      void opened?.root.close();
      unlock();
      throw describeOpening(folder, error);
    }
  }

  /** Runs `work` in the next transaction; resolves when what it wrote is on the disk. */
  async write<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let outcome: () => void = () => reject(new Error('a write that never ran'));
    this.waiting.push({
      run() {
        try {
          const value = work();
          outcome = () => resolve(value);
        } catch (error) {
          if (!(error instanceof CommandError)) throw error;
          outcome = () => reject(error);
        }
      },
      resolve: () => outcome(),
      reject,
    });
    this.schedule();
    return promise;
  }

  /** All collections by full name: inside `write` as it leaves them, elsewhere as committed. */
  get collections(): ReadonlyMap<string, Collection> {
    return this.isWriting ? this.working : this.visible;
  }

  /**
   * The value of a key in bytes of its own. Copied into Node's pool: lmdb's own copy makes an
   * ArrayBuffer for each value, which costs more than the reading.
   */
  get(key: Buffer): Buffer | undefined {
    const lent = this.data.getBinaryFast(key);
    if (lent === undefined) return undefined;
    const { length } = lent;
    const copy = Buffer.allocUnsafe(length);
    if (Buffer.isBuffer(lent)) lent.copy(copy, 0, 0, length);
    else copy.set(lent);
    return copy;
  }

  /** The collection of a full name, or undefined. */
  find(namespace: string): Collection | undefined {
    return this.collections.get(namespace);
  }

  /** Only inside `write`: the collection of that name, made if absent. */
  obtain(database: string, name: string): Collection {
    const found = this.working.get(`${database}.${name}`);
    if (found !== undefined) return found;
    const made = collectionOf(database, name, this.takeTree());
    this.keep(made);
    return made;
  }

  /** Only inside `write`: a number for a new tree. */
  takeTree(): number {
    const tree = this.nextTree++;
    this.put('next', String(this.nextTree));
    return tree;
  }

  /** Only inside `write`: stores a collection's record and makes it the one of its name. */
  keep(collection: Collection): void {
    const namespace = namespaceOf(collection);
    this.replaceMap((map) => map.set(namespace, collection));
    this.put(`c:${namespace}`, collectionToJson(collection));
    this.touch(collection);
  }

  /** Only inside `write`: takes a collection's name away; its trees stay. */
  forget(collection: Collection): void {
    const namespace = namespaceOf(collection);
    this.replaceMap((map) => map.delete(namespace));
    this.changed.delete(collection);
    void this.meta.remove(`c:${namespace}`);
  }

  /** Only inside `write`: a collection's totals have changed. */
  touch(collection: Collection): void {
    this.changed.add(collection);
  }

  /** Only inside `write`: gives trees up; they are cleared away in the background. */
  discard(trees: readonly number[]): void {
    for (const tree of trees) {
      this.put(`g:${tree}`, '1');
      this.discarded.push(tree);
    }
  }

  /** Bytes of the data file. */
  fileBytes(): number {
    return statSync(join(this.folder, 'data.mdb')).size;
  }

  /**
   * Leaves nothing of what was removed: copies everything into a new file and puts it in the place
   * of the old one. Writes wait meanwhile, reads go on. Gives the bytes of both files.
   */
  async compact(): Promise<{ before: number; after: number }> {
    for (let seen = this.last; ; seen = this.last) {
      await seen;
      if (seen === this.last && !this.isScheduled) break;
    }
    this.isScheduled = true;
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.last = done;
    const before = this.fileBytes();
    try {
      const old = this.opened;
      const copy = await copyFolder(old, this.folder);
      this.opened = copy;
      swapIn(this.folder);
      await old.root.close();
      return { before, after: this.fileBytes() };
    } finally {
      this.isScheduled = false;
      resolve();
      if (this.waiting.length > 0) this.schedule();
    }
  }

  /** Finishes what waits, then lets go of the folder. */
  async close(): Promise<void> {
    this.isClosing = true;
    while (this.isScheduled || this.waiting.length > 0) await this.last;
    await this.last;
    await this.root.close();
    this.unlock();
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    this.last = this.commit();
  }

  private async commit(): Promise<void> {
    let jobs: Job[] = [];
    let broken: { job: Job; error: unknown } | undefined;
    let catalog = this.visible;
    let discarded: number[] = [];
    try {
      await this.root.childTransaction(() => {
        this.isScheduled = false;
        jobs = this.waiting;
        this.waiting = [];
        broken = this.runAll(jobs);
        catalog = this.working;
        discarded = this.discarded.splice(0);
        return broken === undefined ? undefined : ABORT;
      });
    } catch (error) {
      this.isScheduled = false;
      this.isStale = true;
      for (const job of jobs) job.reject(error);
      return;
    }
    this.data.resetReadTxn();
    if (broken !== undefined) {
      this.recover(jobs, broken.job, broken.error);
      return;
    }
    this.visible = catalog;
    for (const tree of discarded) setImmediate(() => this.sweep(tree));
    for (const job of jobs) job.resolve();
  }

  private runAll(jobs: readonly Job[]): { job: Job; error: unknown } | undefined {
    if (this.isStale) this.reload();
    this.isWriting = true;
    try {
      for (const job of jobs) {
        const error = failureOf(job);
        if (error !== undefined) {
          this.isStale = true;
          return { job, error };
        }
      }
    } finally {
      this.isWriting = false;
    }
    for (const collection of this.changed) {
      this.put(`s:${collection.tree}`, JSON.stringify(collection.totals));
    }
    this.changed.clear();
    return undefined;
  }

  /** A bug in one command undoes the whole group: the others are run again without it. */
  private recover(jobs: readonly Job[], bad: Job, error: unknown): void {
    bad.reject(error);
    this.waiting.unshift(...jobs.filter((job) => job !== bad));
    this.schedule();
  }

  private put(key: string, value: string): void {
    void this.meta.put(key, Buffer.from(value));
  }

  private read(key: string): string | undefined {
    return this.meta.getBinary(key)?.toString();
  }

  private replaceMap(change: (map: Map<string, Collection>) => void): void {
    const map = new Map(this.working);
    change(map);
    this.working = map;
  }

  private checkFormat(folder: string): void {
    const found = this.read('format');
    if (found === undefined) {
      this.root.transactionSync(() => this.put('format', String(FORMAT)));
    } else if (Number(found) > FORMAT) {
      throw new Error(
        `The data folder ${folder} was written by a newer version (format ${found}, this one ` +
          `reads up to ${FORMAT}). Start the newer version, or remove the folder: its content can ` +
          'be rebuilt from the log.',
      );
    }
  }

  private reload(): void {
    this.isStale = false;
    this.changed.clear();
    this.nextTree = Number(this.read('next') ?? '1');
    const found = new Map<string, Collection>();
    for (const { value } of this.meta.getRange({ start: 'c:', end: 'c;' })) {
      const text = value.toString();
      const { tree } = fromJson<{ tree: number }>(text, ['tree']);
      const totals = fromJson<Collection['totals']>(this.read(`s:${tree}`) ?? NO_TOTALS, [
        'documents',
        'bytes',
      ]);
      const collection = collectionFromJson(text, totals);
      found.set(namespaceOf(collection), collection);
    }
    this.working = found;
    this.visible = found;
  }

  private sweepAll(): void {
    for (const key of this.meta.getKeys({ start: 'g:', end: 'g;' })) {
      this.sweep(Number(key.slice(2)));
    }
  }

  /** Clears a discarded tree, some keys in each transaction, so that nobody waits long. */
  private sweep(tree: number): void {
    if (this.isClosing) return;
    const run = async (): Promise<void> => {
      const isDone = await this.write(() => this.sweepSome(tree));
      if (!isDone) setImmediate(() => this.sweep(tree));
    };
    run().catch((error: unknown) => {
      if (!this.isClosing) process.emitWarning(String(error));
    });
  }

  private sweepSome(tree: number): boolean {
    const [start, end] = [Buffer.alloc(4), Buffer.alloc(4)];
    start.writeUInt32BE(tree);
    end.writeUInt32BE(tree + 1);
    const keys = [...this.data.getKeys({ start, end, limit: SWEEP_KEYS_MAX })];
    for (const key of keys) void this.data.remove(key);
    if (keys.length === SWEEP_KEYS_MAX) return false;
    void this.meta.remove(`g:${tree}`);
    void this.meta.remove(`s:${tree}`);
    return true;
  }
}

function failureOf(job: Job): unknown {
  try {
    job.run();
    return undefined;
  } catch (error) {
    return error ?? new Error('a write failed without a reason');
  }
}

function describeOpening(folder: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  if (error instanceof Error && reason.includes(folder)) return error;
  return new Error(
    `The data folder ${folder} cannot be opened: ${reason}. Check that this user may write ` +
      'there; if its files are damaged, remove them: the content can be rebuilt from the log.',
    { cause: error },
  );
}
