import { CommandError } from '../errors.js';
import { KeyWriter } from '../keys/encode.js';
import { indexedValues } from '../keys/paths.js';
import { type Raw, documentOf } from '../bson/raw.js';
import { ID_BYTES_MAX, type Index } from './catalog.js';

/** One entry of an index: its key in the store and the values it was made of. */
export interface Entry {
  readonly key: Buffer;
  /** Where the document's key begins in `key`; 0 in a unique index, which keeps it as the value. */
  readonly idAt: number;
  readonly values: readonly Raw[];
}

/** What computing entries brought to light about an index. */
export interface Traits {
  readonly multikey: boolean[];
  cut: boolean;
}

/** Entries one document may have in one index; MongoDB bounds them by memory. */
const ENTRIES_MAX = 100_000;

const writer = new KeyWriter();

/** The key of a document in its collection's tree, without the tree's number. */
export function idKey(id: Raw): { key: Buffer; cut: boolean } {
  writer.reset();
  writer.value(id, false, ID_BYTES_MAX);
  return { key: writer.take(), cut: writer.cut };
}

/** A key in the store: a tree's number and what follows. */
export function treeKey(tree: number, rest: Buffer): Buffer {
  const key = Buffer.allocUnsafe(4 + rest.length);
  key.writeUInt32BE(tree);
  rest.copy(key, 4);
  return key;
}

function entryOf(index: Index, values: readonly Raw[], id: Buffer, traits: Traits): Entry {
  writer.reset();
  writer.uint32(index.tree);
  for (let at = 0; at < values.length; at++) {
    const value = values[at];
    if (value === undefined) continue;
    writer.value(value, index.fields[at]?.descending ?? false, index.fieldBytesMax);
  }
  const idAt = index.unique ? 0 : writer.at;
  if (!index.unique) writer.bytes(id, 0, id.length);
  if (writer.cut) traits.cut = true;
  return { key: writer.take(), idAt, values };
}

function combine(lists: readonly (readonly Raw[])[]): Raw[][] {
  let tuples: Raw[][] = [[]];
  for (const list of lists) {
    tuples = tuples.flatMap((tuple) => list.map((value) => [...tuple, value]));
    if (tuples.length > ENTRIES_MAX) {
      throw new CommandError(10334, `more than ${ENTRIES_MAX} index entries for one document`);
    }
  }
  return tuples;
}

function checkParallel(index: Index, isMulti: readonly boolean[]): void {
  const roots = new Set<string>();
  let last = '';
  index.fields.forEach((field, at) => {
    if (isMulti[at] !== true) return;
    const root = field.path.text.split('.')[0] ?? '';
    if (last !== '' && !roots.has(root)) {
      throw new CommandError(171, `cannot index parallel arrays [${root}] [${last}]`);
    }
    roots.add(root);
    last = root;
  });
}

/** All entries of a document in an index, each once. `traits` is told of arrays and cut values. */
export function entriesOf(index: Index, document: Buffer, id: Buffer, traits: Traits): Entry[] {
  const whole = documentOf(document);
  const lists: Raw[][] = [];
  let many = false;
  for (let at = 0; at < index.fields.length; at++) {
    const field = index.fields[at];
    if (field === undefined) continue;
    const { values, multikey } = indexedValues(whole, field.path);
    if (multikey) {
      traits.multikey[at] = true;
      many = true;
    }
    lists.push(values);
  }
  if (!many) return [entryOf(index, lists.flat(), id, traits)];
  checkParallel(
    index,
    lists.map((list) => list.length > 1),
  );
  const seen = new Map<string, Entry>();
  for (const tuple of combine(lists)) {
    const entry = entryOf(index, tuple, id, traits);
    seen.set(entry.key.toString('latin1'), entry);
  }
  return [...seen.values()];
}
