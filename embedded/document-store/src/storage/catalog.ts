import { randomUUID } from 'node:crypto';
import { CommandError } from '../errors.js';
import { type Path, pathOf } from '../keys/paths.js';
import { fromJson } from './json.js';

/**
 * LMDB's longest key (1,978 bytes on 4 KiB pages) less the tree's number and the document's key.
 */
const FIELDS_BYTES_MAX = 1978 - 4 - 400;

/** Longest encoded `_id` kept whole in a key; what is longer is cut and ends in its hash. */
export const ID_BYTES_MAX = 400;

/** One field of an index. */
export interface IndexField {
  readonly path: Path;
  readonly descending: boolean;
}

/** An index: its tree in the store and what its entries have been like so far. */
export interface Index {
  readonly name: string;
  readonly tree: number;
  readonly fields: readonly IndexField[];
  readonly unique: boolean;
  /** Longest encoding of one field in its keys, bytes. */
  readonly fieldBytesMax: number;
  /** By field: some document had an array there. Never goes back. */
  readonly multikey: boolean[];
  /** Some value was cut, so that order and equality must be checked on documents. */
  cut: boolean;
}

/** A collection: its tree of documents, its secondary indexes and its running totals. */
export interface Collection {
  readonly database: string;
  readonly name: string;
  readonly uuid: string;
  readonly tree: number;
  readonly indexes: readonly Index[];
  readonly totals: { documents: number; bytes: number };
  /** Some `_id` was cut, see Index.cut. */
  readonly id: Index;
}

interface StoredIndex {
  readonly name: string;
  readonly tree: number;
  readonly key: readonly (readonly [string, 1 | -1])[];
  readonly unique: boolean;
  readonly multikey: boolean[];
  readonly cut: boolean;
}

interface StoredCollection {
  readonly database: string;
  readonly name: string;
  readonly uuid: string;
  readonly tree: number;
  readonly idCut: boolean;
  readonly indexes: readonly StoredIndex[];
}

/** `{conversationId: 1, seq: -1}` as pairs in their order. */
export type KeyPattern = readonly (readonly [string, 1 | -1])[];

/** The pattern of an index as pairs in their order. */
export function patternOf(index: Index): KeyPattern {
  return index.fields.map(({ path, descending }) => [path.text, descending ? -1 : 1] as const);
}

/** A new index over a tree of its own. */
export function indexOf(name: string, tree: number, key: KeyPattern, unique: boolean): Index {
  return {
    name,
    tree,
    unique,
    fields: key.map(([path, order]) => ({ path: pathOf(path), descending: order === -1 })),
    fieldBytesMax: Math.floor(FIELDS_BYTES_MAX / key.length),
    multikey: key.map(() => false),
    cut: false,
  };
}

function idIndex(tree: number, cut: boolean): Index {
  return { ...indexOf('_id_', tree, [['_id', 1]], true), fieldBytesMax: ID_BYTES_MAX, cut };
}

/** A new, empty collection. */
export function collectionOf(database: string, name: string, tree: number): Collection {
  return {
    database,
    name,
    tree,
    uuid: randomUUID(),
    indexes: [],
    totals: { documents: 0, bytes: 0 },
    id: idIndex(tree, false),
  };
}

/** The full name of a collection, `database.collection`. */
export function namespaceOf(collection: Collection): string {
  return `${collection.database}.${collection.name}`;
}

/** A collection as it is stored. */
export function collectionToJson(collection: Collection): string {
  const stored: StoredCollection = {
    database: collection.database,
    name: collection.name,
    uuid: collection.uuid,
    tree: collection.tree,
    idCut: collection.id.cut,
    indexes: collection.indexes.map((index) => ({
      name: index.name,
      tree: index.tree,
      key: patternOf(index),
      unique: index.unique,
      multikey: index.multikey,
      cut: index.cut,
    })),
  };
  return JSON.stringify(stored);
}

/** A collection as `collectionToJson` wrote it. */
export function collectionFromJson(text: string, totals: Collection['totals']): Collection {
  const stored = fromJson<StoredCollection>(text, ['database', 'name', 'tree', 'indexes']);
  return {
    database: stored.database,
    name: stored.name,
    uuid: stored.uuid,
    tree: stored.tree,
    totals,
    id: idIndex(stored.tree, stored.idCut),
    indexes: stored.indexes.map((index) => ({
      ...indexOf(index.name, index.tree, index.key, index.unique),
      multikey: [...index.multikey],
      cut: index.cut,
    })),
  };
}

/** MongoDB's limit on `database.collection` (255 bytes since 4.4). */
const NAMESPACE_BYTES_MAX = 255;
const DATABASE_BYTES_MAX = 63;

/** Refuses names that MongoDB refuses (code 73). */
export function checkNamespace(database: string, collection: string): void {
  const namespace = `${database}.${collection}`;
  const isBad =
    database === '' ||
    Buffer.byteLength(database) > DATABASE_BYTES_MAX ||
    /[/\\. "$\0]/.test(database) ||
    collection === '' ||
    /[$\0]/.test(collection) ||
    collection.startsWith('.') ||
    collection.endsWith('.') ||
    Buffer.byteLength(namespace) > NAMESPACE_BYTES_MAX;
  if (isBad) throw new CommandError(73, `Invalid namespace specified '${namespace}'`);
  if (collection.startsWith('system.')) {
    throw new CommandError(73, `Invalid system namespace: ${namespace}`);
  }
}
