import { open, type Database, type RootDatabase } from 'lmdb';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

/** What appends and reads need to know of a stream. */
export type StreamState = {
  /** Revision of the last event; -1 before the first. */
  last: number;
  /** Events before this revision are hidden (`$tb`, soft delete). */
  before: number;
  /** `$maxCount`; 0 for no limit. */
  maxCount: number;
  /** Soft-deleted, and not written to since. */
  deleted: boolean;
};

/** An event's entry in the index. */
export type IndexEntry = Readonly<{
  stream: string;
  revision: number;
  position: number;
  id: Buffer;
}>;

/** Entries gathered before they are written to the index: bounds memory and lost work. */
const PENDING_MAX = 8_192;
/** How long entries may wait (ms): the index is only ever behind, and caught up from the log. */
const FLUSH_DELAY_MS = 100;

type Pending = { state: StreamState; first: number; positions: number[]; ids: Map<string, number> };

const idKey = (id: Buffer): string => id.toString('latin1');

/**
 * Where each stream's events stand. LMDB holds nothing that the log does not: it is rebuilt when it
 * is missing, damaged or behind, so it is written late and in bulk.
 */
export class IndexStore {
  readonly #root: RootDatabase;
  readonly #states: Database<StreamState, string>;
  readonly #positions: Database<number, [string, number]>;
  readonly #ids: Database<number, [string, string]>;
  readonly #meta: Database<number, string>;
  #pending = new Map<string, Pending>();
  /** What is being written just now; still answers until it is there. */
  #flushing = new Map<string, Pending>();
  #count = 0;
  #reached: number;
  #next: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(root: RootDatabase) {
    this.#root = root;
    this.#states = root.openDB({ name: 'states', encoding: 'json' });
    this.#positions = root.openDB({ name: 'positions' });
    this.#ids = root.openDB({ name: 'ids' });
    this.#meta = root.openDB({ name: 'meta' });
    this.#reached = this.#meta.get('reached') ?? 0;
    this.#next = this.#reached;
  }

  /** Opens the index of a data folder; one that cannot be opened is thrown away. */
  static async open(folder: string): Promise<IndexStore> {
    const path = join(folder, 'index');
    const attempt = (): IndexStore =>
      new IndexStore(
        open({
          path,
          mapSize: 2 ** 38,
          maxDbs: 8,
          overlappingSync: false,
          noSync: true,
          cache: false,
        }),
      );
    try {
      return attempt();
    } catch {
      await rm(path, { recursive: true, force: true });
      return attempt();
    }
  }

  /** Throws an index away, for one that is rebuilt from the log. */
  static async fresh(index: IndexStore, folder: string): Promise<IndexStore> {
    await index.close();
    await rm(join(folder, 'index'), { recursive: true, force: true });
    return IndexStore.open(folder);
  }

  /** Everything before this position of the log is in the index on disk. */
  get reached(): number {
    return this.#reached;
  }

  state(stream: string): StreamState | undefined {
    return (
      this.#pending.get(stream)?.state ??
      this.#flushing.get(stream)?.state ??
      this.#states.get(stream)
    );
  }

  position(stream: string, revision: number): number | undefined {
    for (const waiting of [this.#pending.get(stream), this.#flushing.get(stream)]) {
      if (waiting && revision >= waiting.first) return waiting.positions[revision - waiting.first];
    }
    return this.#positions.get([stream, revision]);
  }

  revisionOf(stream: string, id: Buffer): number | undefined {
    const key = idKey(id);
    return (
      this.#pending.get(stream)?.ids.get(key) ??
      this.#flushing.get(stream)?.ids.get(key) ??
      this.#ids.get([stream, id.toString('base64')])
    );
  }

  /** Changes a stream's state without an event. */
  setState(stream: string, state: StreamState): void {
    this.#waiting(stream, state).state = state;
    this.#later();
  }

  add(entry: IndexEntry, state: StreamState): void {
    const waiting = this.#waiting(entry.stream, state);
    if (waiting.positions.length === 0) waiting.first = entry.revision;
    waiting.positions.push(entry.position);
    waiting.ids.set(idKey(entry.id), entry.revision);
    waiting.state = state;
    this.#count += 1;
    this.#later();
  }

  /** Everything before this position of the log has been added. */
  reach(position: number): void {
    this.#next = position;
    if (this.#count >= PENDING_MAX) void this.flush();
  }

  #waiting(stream: string, state: StreamState): Pending {
    let waiting = this.#pending.get(stream);
    if (!waiting) {
      waiting = { state, first: Number.POSITIVE_INFINITY, positions: [], ids: new Map() };
      this.#pending.set(stream, waiting);
    }
    return waiting;
  }

  #later(): void {
    this.#timer ??= setTimeout(() => void this.flush(), FLUSH_DELAY_MS);
  }

  /** Writes what waits. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    const reached = this.#next;
    if (this.#pending.size === 0) return;
    this.#flushing = this.#pending;
    this.#pending = new Map();
    this.#count = 0;
    await this.#root.transaction(() => {
      for (const [stream, { state, first, positions, ids }] of this.#flushing) {
        void this.#states.put(stream, state);
        for (const [at, position] of positions.entries())
          void this.#positions.put([stream, first + at], position);
        for (const [id, revision] of ids)
          void this.#ids.put([stream, Buffer.from(id, 'latin1').toString('base64')], revision);
      }
      void this.#meta.put('reached', reached);
    });
    this.#reached = reached;
    this.#flushing = new Map();
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#root.flushed;
    await this.#root.close();
  }
}
