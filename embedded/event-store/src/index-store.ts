import { open, type Database, type RootDatabase, type RootDatabaseOptionsWithPath } from 'lmdb';
import { IndexFolder } from './index-folder.js';
import { stopAtOnce } from './stop.js';
import type { StreamState } from './stream-state.js';

/** An event's entry in the index. */
export type IndexEntry = Readonly<{
  stream: string;
  revision: number;
  position: number;
  id: Buffer;
}>;

/**
 * Entries gathered before they are written to the index: bounds memory, and the pause of a write.
 */
const PENDING_MAX = 2_048;
/** How long entries may wait (ms): the index is only ever behind, and caught up from the log. */
const FLUSH_DELAY_MS = 250;
/** Before a failed write is tried again (ms). */
const RETRY_DELAY_MS = 1_000;
/** Raised when entries change their form: an index of another form is made anew from the log. */
const INDEX_VERSION = 2;
/** Addresses, not bytes on disk: how far the index may grow. */
const MAP_BYTES = 2 ** 40;

type Pending = { state: StreamState; first: number; entries: IndexEntry[] };
type Waiting = Map<string, Pending>;
type Bytes = Database<Buffer, Buffer>;

const idKey = (stream: string, id: Buffer): string => id.toString('latin1') + stream;

/** Number of the stream, and its state. */
const STATE_BYTES = 4 + 3 * 8 + 1;
const ENTRY_BYTES = 8 + 16;

const encodeState = (number: number, state: StreamState): Buffer => {
  const bytes = Buffer.allocUnsafe(STATE_BYTES);
  bytes.writeUInt32BE(number, 0);
  bytes.writeDoubleBE(state.last, 4);
  bytes.writeDoubleBE(state.before, 12);
  bytes.writeDoubleBE(state.maxCount, 20);
  bytes[28] = state.deleted ? 1 : 0;
  return bytes;
};

const decodeState = (bytes: Buffer): StreamState => ({
  last: bytes.readDoubleBE(4),
  before: bytes.readDoubleBE(12),
  maxCount: bytes.readDoubleBE(20),
  deleted: bytes[28] === 1,
});

const entryKey = (number: number, revision: number): Buffer => {
  const key = Buffer.allocUnsafe(10);
  key.writeUInt32BE(number, 0);
  key.writeUIntBE(revision, 4, 6);
  return key;
};

const idEntryKey = (number: number, id: Buffer): Buffer => {
  const key = Buffer.allocUnsafe(20);
  key.writeUInt32BE(number, 0);
  id.copy(key, 4);
  return key;
};

const encodeEntry = ({ position, id }: IndexEntry): Buffer => {
  const bytes = Buffer.allocUnsafe(ENTRY_BYTES);
  bytes.writeDoubleBE(position, 0);
  id.copy(bytes, 8);
  return bytes;
};

/**
 * Where each stream's events stand. LMDB holds nothing that the log does not: it is rebuilt when it
 * is missing, damaged or behind, so it is written late and in bulk.
 */
export class IndexStore {
  readonly #place: IndexFolder;
  readonly #root: RootDatabase;
  readonly #streams: Bytes;
  readonly #entries: Bytes;
  readonly #ids: Bytes;
  readonly #meta: Database<number, string>;
  #pending: Waiting = new Map();
  #pendingIds = new Map<string, number>();
  /** What is being written just now; still answers until it is there. */
  #flushing: Waiting = new Map();
  #flushingIds = new Map<string, number>();
  #count = 0;
  #reached: number;
  #next: number;
  #numbers: number;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(place: IndexFolder, root: RootDatabase) {
    const binary = { encoding: 'binary', keyEncoding: 'binary' } as const;
    this.#place = place;
    this.#root = root;
    this.#streams = root.openDB({ name: 'streams', ...binary });
    this.#entries = root.openDB({ name: 'entries', ...binary });
    this.#ids = root.openDB({ name: 'ids', ...binary });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
    this.#reached = this.#meta.get('reached') ?? 0;
    this.#numbers = this.#meta.get('numbers') ?? 0;
    this.#next = this.#reached;
  }

  /** Opens the index of a data folder; one that is damaged or of another form is made anew. */
  static async open(folder: string): Promise<IndexStore> {
    const place = new IndexFolder(folder);
    const defect = await place.defect();
    if (defect === undefined) {
      await place.beginTrial();
      const index = new IndexStore(place, openRoot(place.path));
      if (index.#meta.get('version') === INDEX_VERSION) return index;
      await index.#root.close();
    }
    await place.empty();
    await place.beginTrial();
    const fresh = new IndexStore(place, openRoot(place.path));
    await fresh.#meta.put('version', INDEX_VERSION);
    return fresh;
  }

  /** Throws an index away, for one that is rebuilt from the log. */
  static async fresh(index: IndexStore, folder: string): Promise<IndexStore> {
    await index.#root.close();
    await index.#place.empty();
    return IndexStore.open(folder);
  }

  /** Everything before this position of the log is in the index on disk. */
  get reached(): number {
    return this.#reached;
  }

  state(stream: string): StreamState | undefined {
    const waiting = this.#pending.get(stream) ?? this.#flushing.get(stream);
    if (waiting) return waiting.state;
    const held = this.#streams.get(Buffer.from(stream));
    return held && decodeState(held);
  }

  #waitingEntry(stream: string, revision: number): IndexEntry | undefined {
    for (const waiting of [this.#pending.get(stream), this.#flushing.get(stream)]) {
      if (waiting && waiting.entries.length > 0 && revision >= waiting.first)
        return waiting.entries[revision - waiting.first];
    }
    return undefined;
  }

  #numberOf(stream: string): number | undefined {
    return this.#streams.get(Buffer.from(stream))?.readUInt32BE(0);
  }

  #entry(stream: string, revision: number): Buffer | undefined {
    const number = this.#numberOf(stream);
    return number === undefined ? undefined : this.#entries.get(entryKey(number, revision));
  }

  position(stream: string, revision: number): number | undefined {
    return (
      this.#waitingEntry(stream, revision)?.position ??
      this.#entry(stream, revision)?.readDoubleBE(0)
    );
  }

  id(stream: string, revision: number): Buffer | undefined {
    return this.#waitingEntry(stream, revision)?.id ?? this.#entry(stream, revision)?.subarray(8);
  }

  revisionOf(stream: string, id: Buffer): number | undefined {
    const key = idKey(stream, id);
    const waiting = this.#pendingIds.get(key) ?? this.#flushingIds.get(key);
    if (waiting !== undefined) return waiting;
    const number = this.#numberOf(stream);
    if (number === undefined) return undefined;
    return this.#ids.get(idEntryKey(number, id))?.readUIntBE(0, 6);
  }

  /** Changes a stream's state without an event. */
  setState(stream: string, state: StreamState): void {
    this.#waiting(stream, state).state = state;
    this.#later(FLUSH_DELAY_MS);
  }

  add(entry: IndexEntry, state: StreamState): void {
    const waiting = this.#waiting(entry.stream, state);
    if (waiting.entries.length === 0) waiting.first = entry.revision;
    waiting.entries.push(entry);
    waiting.state = state;
    this.#pendingIds.set(idKey(entry.stream, entry.id), entry.revision);
    this.#count += 1;
    this.#later(FLUSH_DELAY_MS);
  }

  /** Everything before this position of the log has been added. */
  reach(position: number): void {
    this.#next = position;
    if (this.#count >= PENDING_MAX && this.#flushing.size === 0) void this.flush();
  }

  #waiting(stream: string, state: StreamState): Pending {
    let waiting = this.#pending.get(stream);
    if (!waiting) {
      waiting = { state, first: 0, entries: [] };
      this.#pending.set(stream, waiting);
    }
    return waiting;
  }

  #later(delayMs: number): void {
    this.#timer ??= setTimeout(() => void this.flush(), delayMs);
  }

  /** Waits while too much waits to be written: for who adds faster than appends come. */
  async roomy(): Promise<void> {
    if (this.#count >= PENDING_MAX) await this.flush();
  }

  /** Writes what waits. A failure (a full disk) is told, and tried again later. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return;
    const reached = this.#next;
    this.#flushing = this.#pending;
    this.#flushingIds = this.#pendingIds;
    this.#pending = new Map();
    this.#pendingIds = new Map();
    this.#count = 0;
    const numbers = this.#numbers;
    try {
      await this.#root.transaction(() => this.#putAll(reached));
      // Reads must see what was written before it stops being answered from memory.
      this.#root.resetReadTxn();
      this.#reached = reached;
    } catch (error) {
      await this.#outlast(await causeOf(error));
      this.#numbers = numbers;
      this.#takeBack();
    }
    this.#flushing = new Map();
    this.#flushingIds = new Map();
  }

  /** A full disk is waited out; anything else means that the index itself is broken. */
  async #outlast({ code, message }: IndexFailure): Promise<void> {
    if (code <= 0) {
      await this.condemn();
      stopAtOnce(`the index is damaged (${message}); stopping, to rebuild it at the next start.`);
    }
    process.stderr.write(`event-store: the index cannot be written yet (${message}).\n`);
    this.#later(RETRY_DELAY_MS);
  }

  #putAll(reached: number): void {
    for (const [stream, { state, first, entries }] of this.#flushing) {
      const key = Buffer.from(stream);
      const number = this.#numberOf(stream) ?? this.#numbers++;
      this.#streams.putSync(key, encodeState(number, state));
      for (const [at, entry] of entries.entries()) {
        const revision = Buffer.allocUnsafe(6);
        revision.writeUIntBE(first + at, 0, 6);
        this.#entries.putSync(entryKey(number, first + at), encodeEntry(entry));
        this.#ids.putSync(idEntryKey(number, entry.id), revision);
      }
    }
    this.#meta.putSync('numbers', this.#numbers);
    this.#meta.putSync('reached', reached);
  }

  /** What could not be written waits again, before what came since. */
  #takeBack(): void {
    const since = this.#pending;
    this.#pending = this.#flushing;
    for (const [stream, { state, first, entries }] of since) {
      const waiting = this.#waiting(stream, state);
      if (waiting.entries.length === 0) waiting.first = first;
      waiting.entries.push(...entries);
      waiting.state = state;
    }
    for (const [key, revision] of this.#pendingIds) this.#flushingIds.set(key, revision);
    this.#pendingIds = this.#flushingIds;
  }

  /** The index has shown that it can be used. */
  async trusted(): Promise<void> {
    await this.#place.endTrial();
  }

  /** Marks the index as not to be trusted: the next start rebuilds it. */
  async condemn(): Promise<void> {
    await this.#place.beginTrial();
  }

  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.#timer);
    await this.#root.flushed;
    await this.#root.close();
    await this.#place.endTrial();
  }
}

const openRoot = (path: string): RootDatabase =>
  open({
    path,
    mapSize: MAP_BYTES,
    maxDbs: 8,
    overlappingSync: false,
    cache: false,
    // Keys are looked up one by one: pages beside them would only fill memory.
    noReadAhead: true,
  } as RootDatabaseOptionsWithPath);

/** Why a write failed: a positive code is the system's (errno), a negative one LMDB's own. */
type IndexFailure = Readonly<{ code: number; message: string }>;

/**
 * Whether a rejection is one of those that LMDB leaves behind beside the one that `flush` handles.
 */
export const isIndexFailure = (reason: unknown): boolean =>
  reason instanceof Error && 'commitError' in reason;

const causeOf = async (reason: unknown): Promise<IndexFailure> => {
  // LMDB hides the cause behind a promise that rejects with it.
  const hidden = reason instanceof Error && 'commitError' in reason ? reason.commitError : reason;
  const cause: unknown = await Promise.resolve(hidden).catch((error: unknown) => error);
  const code = cause instanceof Error && 'code' in cause ? Number(cause.code) : 0;
  return { code, message: cause instanceof Error ? cause.message : String(cause) };
};
