import { CommandError } from '../errors.js';
import { toValue } from '../bson/convert.js';
import { type Raw, textOf, TYPE } from '../bson/raw.js';
import { type Collection, type Index, namespaceOf, patternOf } from './catalog.js';
import { type Entry, type Traits, entriesOf, idKey, treeKey } from './index-keys.js';
import type { Store } from './store.js';

/** MongoDB's limit on one document, bytes. */
export const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Documents read at a time when an index is built: no read stays open while entries are written.
 */
const BUILD_DOCUMENTS = 500;

/** One value the way MongoDB shows it in a duplicate key's message. */
function shown(value: Raw): string {
  if (value.type === TYPE.string) return JSON.stringify(textOf(value));
  const plain = toValue(value);
  if (value.type === TYPE.objectId) return `ObjectId('${value.bytes().toString('hex')}')`;
  if (plain instanceof Date) return `new Date(${plain.getTime()})`;
  return value.type === TYPE.binary
    ? `BinData(${value.buf[value.start + 4] ?? 0}, ${value.buf.toString('hex', value.start + 5, value.end).toUpperCase()})`
    : JSON.stringify(plain);
}

/** MongoDB's error for a key that a unique index holds already. */
export function duplicateKey(
  collection: Collection,
  index: Index,
  values: readonly Raw[],
): CommandError {
  const pattern = patternOf(index);
  const text = pattern.map(([path], at) => {
    const value = values[at];
    return `${path}: ${value === undefined ? 'null' : shown(value)}`;
  });
  return new CommandError(
    11000,
    `E11000 duplicate key error collection: ${namespaceOf(collection)} ` +
      `index: ${index.name} dup key: { ${text.join(', ')} }`,
    {
      keyPattern: Object.fromEntries(pattern),
      keyValue: Object.fromEntries(pattern.map(([path], at) => [path, toValue(values[at])])),
    },
  );
}

function checkSize(document: Buffer): void {
  if (document.length <= DOCUMENT_BYTES_MAX) return;
  throw new CommandError(
    10334,
    `BSONObj size: ${document.length} is invalid. Size must be between 0 and ` +
      `${DOCUMENT_BYTES_MAX}`,
  );
}

function offsetValue(idAt: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeUInt16LE(idAt);
  return bytes;
}

const offsets = new Map<number, Buffer>();
function valueOf(entry: Entry, id: Buffer): Buffer {
  if (entry.idAt === 0) return id;
  let known = offsets.get(entry.idAt);
  if (known === undefined) offsets.set(entry.idAt, (known = offsetValue(entry.idAt)));
  return known;
}

/** The document's key that an index entry leads to. */
export function idOfEntry(key: Buffer, value: Buffer, index: Index): Buffer {
  return index.unique ? value : key.subarray(value.readUInt16LE(0));
}

/** Writes documents with all their index entries; only inside a transaction of the store. */
export class Documents {
  constructor(
    private readonly store: Store,
    readonly collection: Collection,
  ) {}

  /** The stored bytes of a document, by its key. */
  get(id: Buffer): Buffer | undefined {
    return this.store.get(treeKey(this.collection.tree, id));
  }

  /** Stores a new document; refuses a taken `_id` or unique key (code 11000). */
  insert(document: Buffer, id: Raw): void {
    checkSize(document);
    const { key, cut } = idKey(id);
    const at = treeKey(this.collection.tree, key);
    if (this.store.data.doesExist(at)) {
      throw duplicateKey(this.collection, this.collection.id, [id]);
    }
    this.addNew(document, key, at);
    if (cut) this.note(this.collection.id, { multikey: [], cut });
  }

  /** Stores a document whose key is known to be free. */
  addNew(document: Buffer, key: Buffer, at = treeKey(this.collection.tree, key)): void {
    checkSize(document);
    const entries: Entry[] = [];
    for (const index of this.collection.indexes) {
      for (const entry of this.entries(index, document, key)) {
        if (index.unique) this.checkFree(index, entry, key);
        entries.push(entry);
      }
    }
    for (const entry of entries) void this.store.data.put(entry.key, valueOf(entry, key));
    void this.store.data.put(at, document);
    this.count(1, document.length);
  }

  /** Puts `after` in place of `before`; touches only the index entries that differ. */
  replace(key: Buffer, before: Buffer, after: Buffer): void {
    checkSize(after);
    const added: Entry[] = [];
    const removed: Buffer[] = [];
    for (const index of this.collection.indexes) {
      const old = entriesOf(index, before, key, { multikey: [], cut: false });
      const now = this.entries(index, after, key);
      for (const entry of now) {
        if (old.some((other) => other.key.equals(entry.key))) continue;
        if (index.unique) this.checkFree(index, entry, key);
        added.push(entry);
      }
      for (const entry of old) {
        if (!now.some((other) => other.key.equals(entry.key))) removed.push(entry.key);
      }
    }
    for (const gone of removed) void this.store.data.remove(gone);
    for (const entry of added) void this.store.data.put(entry.key, valueOf(entry, key));
    void this.store.data.put(treeKey(this.collection.tree, key), after);
    this.count(0, after.length - before.length);
  }

  /** Takes a document and its index entries away. */
  remove(key: Buffer, document: Buffer): void {
    for (const index of this.collection.indexes) {
      const traits = { multikey: [], cut: false };
      for (const entry of entriesOf(index, document, key, traits)) {
        void this.store.data.remove(entry.key);
      }
    }
    void this.store.data.remove(treeKey(this.collection.tree, key));
    this.count(-1, -document.length);
  }

  /** Fills a new index from the documents that are there. */
  build(index: Index): void {
    const { tree } = this.collection;
    const end = treeKey(tree + 1, Buffer.alloc(0));
    let start = treeKey(tree, Buffer.alloc(0));
    for (;;) {
      const some = [...this.store.data.getRange({ start, end, limit: BUILD_DOCUMENTS })];
      for (const { key, value } of some) this.buildOne(index, key.subarray(4), value);
      const last = some.at(-1);
      if (last === undefined || some.length < BUILD_DOCUMENTS) return;
      start = Buffer.concat([last.key, Buffer.alloc(1)]);
    }
  }

  private buildOne(index: Index, id: Buffer, document: Buffer): void {
    for (const entry of this.entries(index, document, id)) {
      if (index.unique) this.checkFree(index, entry, id);
      void this.store.data.put(entry.key, valueOf(entry, id));
    }
  }

  private entries(index: Index, document: Buffer, key: Buffer): Entry[] {
    const traits: Traits = { multikey: [], cut: false };
    const entries = entriesOf(index, document, key, traits);
    if (traits.cut || traits.multikey.length > 0) this.note(index, traits);
    return entries;
  }

  /** Readers look at these flags, so they are raised before the entries can be seen. */
  private note(index: Index, traits: Traits): void {
    let isNew = traits.cut && !index.cut;
    if (traits.cut) index.cut = true;
    traits.multikey.forEach((multikey, at) => {
      if (!multikey || index.multikey[at] === true) return;
      index.multikey[at] = true;
      isNew = true;
    });
    if (isNew) this.store.keep(this.collection);
  }

  private checkFree(index: Index, entry: Entry, key: Buffer): void {
    const holder = this.store.get(entry.key);
    if (holder !== undefined && !key.equals(holder)) {
      throw duplicateKey(this.collection, index, entry.values);
    }
  }

  private count(documents: number, bytes: number): void {
    const { totals } = this.collection;
    totals.documents += documents;
    totals.bytes += bytes;
    this.store.touch(this.collection);
  }
}
