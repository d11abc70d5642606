import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { open, type Database, type RootDatabase } from 'lmdb';

/** Address space, not disk: the file grows as it is filled (design, decision 2). */
const MAP_BYTES = 2 ** 40;
/** Read transactions at once; this process needs a few. */
const READERS_MAX = 64;
/** Entries copied in one transaction: readers wait for no longer than that takes. */
const COPY_ENTRIES = 2_000;
/** Where a copy grows, within the data folder. */
const COPY_FOLDER = 'compact';

/** An open data folder: its LMDB environment and the two trees in it. */
export interface Opened {
  readonly root: RootDatabase<Buffer, string>;
  readonly data: Database<Buffer, Buffer>;
  readonly meta: Database<Buffer, string>;
}

/** Opens the environment in a folder. */
export function openFolder(folder: string): Opened {
  const root = open<Buffer, string>({
    path: folder,
    noSubdir: false,
    mapSize: MAP_BYTES,
    maxReaders: READERS_MAX,
    maxDbs: 4,
    overlappingSync: false,
    useVersions: false,
    // Unused parts of pages are zeros: nothing of what was removed is carried along.
    noMemInit: false,
    encoding: 'binary',
  });
  return {
    root,
    data: root.openDB('data', { keyEncoding: 'binary', encoding: 'binary' }),
    meta: root.openDB('meta', { encoding: 'binary' }),
  };
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  fsyncSync(handle);
  closeSync(handle);
}

/** Removes what a copy left that was not finished. */
export function removeCopy(folder: string): void {
  rmSync(join(folder, COPY_FOLDER), { recursive: true, force: true });
}

/** Trees that were dropped and are not cleared away yet. */
function discardedIn({ meta }: Opened): Set<number> {
  return new Set([...meta.getKeys({ start: 'g:', end: 'g;' })].map((key) => Number(key.slice(2))));
}

async function copyData(from: Opened, to: Opened, discarded: ReadonlySet<number>): Promise<void> {
  let start = Buffer.alloc(0);
  for (;;) {
    const some = [...from.data.getRange({ start, limit: COPY_ENTRIES })];
    to.root.transactionSync(() => {
      for (const { key, value } of some)
        if (!discarded.has(key.readUInt32BE(0))) void to.data.put(key, value);
    });
    const last = some.at(-1);
    if (last === undefined || some.length < COPY_ENTRIES) return;
    start = Buffer.concat([last.key, Buffer.alloc(1)]);
    // Readers have their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function copyMeta(from: Opened, to: Opened, discarded: ReadonlySet<number>): void {
  to.root.transactionSync(() => {
    for (const { key, value } of from.meta.getRange({})) {
      const isOfDiscarded = /^[gs]:/.test(key) && discarded.has(Number(key.slice(2)));
      if (!isOfDiscarded) void to.meta.put(key, Buffer.from(value));
    }
  });
}

/**
 * Writes everything that a folder holds, and nothing that it held, into a new file; nobody may
 * write meanwhile. Entry by entry: LMDB's own copy takes pages as they are, with what was removed.
 */
export async function copyFolder(from: Opened, folder: string): Promise<Opened> {
  removeCopy(folder);
  const to = openFolder(join(folder, COPY_FOLDER));
  const discarded = discardedIn(from);
  await copyData(from, to, discarded);
  copyMeta(from, to, discarded);
  await to.root.flushed;
  return to;
}

/** Puts the copy's files, open as they are, in the place of the folder's. */
export function swapIn(folder: string): void {
  const copy = join(folder, COPY_FOLDER);
  for (const name of ['data.mdb', 'lock.mdb'])
    if (existsSync(join(copy, name))) renameSync(join(copy, name), join(folder, name));
  syncFolder(folder);
  removeCopy(folder);
}
