import type { Document } from 'bson';
import { numberOf, truthOf } from '../bson/number.js';
import { type Raw, TYPE, elementsOf, fieldsOf, textOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import {
  type Collection,
  type Index,
  type KeyPattern,
  checkNamespace,
  indexOf,
  patternOf,
} from '../storage/catalog.js';
import { Documents } from '../storage/documents.js';
import { existing, sourceOf } from './admin.js';
import type { Context, Reply } from './context.js';
import { openCursor } from './find.js';

/** MongoDB's limits on one index. */
const FIELDS_MAX = 32;
const INDEXES_MAX = 64;

const KNOWN_OPTIONS = new Set(['key', 'name', 'unique', 'v', 'background', 'ns']);
/** Options that change nothing when false or absent. */
const REFUSED_IF_TRUE = new Set(['sparse', 'hidden']);

interface Wanted {
  readonly name: string;
  readonly key: KeyPattern;
  readonly unique: boolean;
}

function patternFrom(key: Raw): KeyPattern {
  const pattern = [...fieldsOf(key)].map(([path, order]): readonly [string, 1 | -1] => {
    if (order.type === TYPE.string) throw notSupported(`A ${textOf(order)} index`);
    const number = numberOf(order);
    if (number === undefined || number === 0) {
      throw new CommandError(67, `Values in the index key pattern cannot be 0 or non-numbers`);
    }
    if (path === '' || path.split('.').some((part) => part === '' || part.startsWith('$'))) {
      throw new CommandError(67, `Index keys cannot contain an empty field or begin with $`);
    }
    return [path, number > 0 ? 1 : -1];
  });
  if (pattern.length === 0 || pattern.length > FIELDS_MAX) {
    throw new CommandError(67, `Index keys must have between 1 and ${FIELDS_MAX} fields`);
  }
  return pattern;
}

function wantedFrom(spec: Raw): Wanted {
  const fields = fieldsOf(spec);
  for (const [option, value] of fields) {
    if (KNOWN_OPTIONS.has(option)) continue;
    if (REFUSED_IF_TRUE.has(option) && !truthOf(value)) continue;
    throw notSupported(`The index option ${option}`);
  }
  const [key, name] = [fields.get('key'), fields.get('name')];
  if (key?.type !== TYPE.object || name?.type !== TYPE.string) {
    throw new CommandError(9, 'An index needs a key and a name');
  }
  return { name: textOf(name), key: patternFrom(key), unique: truthOf(fields.get('unique')) };
}

function samePattern(index: Index, key: KeyPattern): boolean {
  return JSON.stringify(patternOf(index)) === JSON.stringify(key);
}

/** True when it is there already; a clash of name or options is refused as MongoDB does. */
function isThere(collection: Collection, wanted: Wanted): boolean {
  for (const index of [collection.id, ...collection.indexes]) {
    const [isName, isKey] = [index.name === wanted.name, samePattern(index, wanted.key)];
    if (!isName && !isKey) continue;
    if (isName && !isKey) {
      throw new CommandError(86, `An existing index has the same name: ${wanted.name}`);
    }
    if (index === collection.id) return true;
    if (!isName) {
      throw new CommandError(85, `Index already exists with a different name: ${index.name}`);
    }
    if (index.unique !== wanted.unique) {
      throw new CommandError(86, `An existing index has other options: ${wanted.name}`);
    }
    return true;
  }
  return false;
}

function addIndex(ctx: Context, collection: Collection, wanted: Wanted): Collection {
  if (collection.indexes.length + 1 >= INDEXES_MAX) {
    throw new CommandError(67, `add index fails, too many indexes for ${ctx.namespace}`);
  }
  const index = indexOf(wanted.name, ctx.store.takeTree(), wanted.key, wanted.unique);
  try {
    new Documents(ctx.store, collection).build(index);
  } catch (error) {
    ctx.store.discard([index.tree]);
    throw error;
  }
  const widened = { ...collection, indexes: [...collection.indexes, index] };
  ctx.store.keep(widened);
  return widened;
}

async function createIndexes(ctx: Context): Promise<Reply> {
  const wanted = ctx.list('indexes').map(wantedFrom);
  const name = ctx.text('createIndexes');
  checkNamespace(ctx.database, name);
  return ctx.store.write(() => {
    const isNew = ctx.collection === undefined;
    let collection = ctx.store.obtain(ctx.database, name);
    const before = collection.indexes.length + 1;
    for (const one of wanted) {
      if (!isThere(collection, one)) collection = addIndex(ctx, collection, one);
    }
    const after = collection.indexes.length + 1;
    return {
      numIndexesBefore: before,
      numIndexesAfter: after,
      createdCollectionAutomatically: isNew,
      ...(before === after ? { note: 'all indexes already exist' } : {}),
      ok: 1,
    };
  });
}

function describe(index: Index): Document {
  return {
    v: 2,
    key: Object.fromEntries(patternOf(index)),
    name: index.name,
    ...(index.unique && index.name !== '_id_' ? { unique: true } : {}),
  };
}

async function listIndexes(ctx: Context): Promise<Reply> {
  const collection = existing(ctx);
  const all = [collection.id, ...collection.indexes].map(describe);
  return openCursor(ctx, sourceOf(all), Infinity);
}

function chosen(collection: Collection, selector: Raw | undefined): readonly Index[] {
  if (selector?.type === TYPE.array) {
    return elementsOf(selector).flatMap((one) => chosen(collection, one));
  }
  const name = selector?.type === TYPE.string ? textOf(selector) : undefined;
  if (name === '*') return collection.indexes;
  if (name === '_id_') throw new CommandError(72, 'cannot drop _id index');
  const key = selector?.type === TYPE.object ? patternFrom(selector) : undefined;
  const found = collection.indexes.find(
    (index) => index.name === name || (key !== undefined && samePattern(index, key)),
  );
  if (found === undefined) throw new CommandError(27, 'index not found with that name or key');
  return [found];
}

async function dropIndexes(ctx: Context): Promise<Reply> {
  return ctx.store.write(() => {
    const collection = existing(ctx);
    const gone = chosen(collection, ctx.raw('index'));
    const indexes = collection.indexes.filter((index) => !gone.includes(index));
    ctx.store.keep({ ...collection, indexes });
    ctx.store.discard(gone.map(({ tree }) => tree));
    return { nIndexesWas: collection.indexes.length + 1, ok: 1 };
  });
}

/** Commands about indexes. */
export const INDEX_COMMANDS = { createIndexes, listIndexes, dropIndexes };
