import { UUID, type Document } from 'bson';
import { documentOf } from '../bson/raw.js';
import { toBytes } from '../bson/convert.js';
import { CommandError, notSupported } from '../errors.js';
import { compileFilter, matches } from '../query/filter.js';
import { type Collection, checkNamespace, namespaceOf, patternOf } from '../storage/catalog.js';
import type { Context, Reply } from './context.js';
import { openCursor } from './find.js';

const CREATE_OPTIONS = new Set([
  'create',
  '$db',
  'lsid',
  '$readPreference',
  'writeConcern',
  'comment',
  'maxTimeMS',
  'apiVersion',
  '$clusterTime',
]);

/** Collections of one database, by name. */
function collectionsOf(ctx: Context, database = ctx.database): Collection[] {
  return [...ctx.store.collections.values()]
    .filter((collection) => collection.database === database)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The collection of the command, or NamespaceNotFound (26). */
export function existing(ctx: Context): Collection {
  const { collection } = ctx;
  if (collection === undefined) throw new CommandError(26, `ns not found ${ctx.namespace}`);
  return collection;
}

/** An array source: documents that are at hand. */
export function sourceOf(documents: readonly Document[]): { step(): Buffer | undefined } {
  let at = 0;
  return {
    step() {
      const document = documents[at++];
      return document === undefined ? undefined : toBytes(document);
    },
  };
}

function treesOf(collection: Collection): number[] {
  return [collection.tree, ...collection.indexes.map(({ tree }) => tree)];
}

async function create(ctx: Context): Promise<Reply> {
  const name = ctx.text('create');
  checkNamespace(ctx.database, name);
  for (const option of ctx.fields.keys()) {
    if (!CREATE_OPTIONS.has(option)) throw notSupported(`The option ${option} of create`);
  }
  return ctx.store.write(() => {
    if (ctx.collection !== undefined) {
      throw new CommandError(48, `Collection ${ctx.namespace} already exists.`);
    }
    ctx.store.obtain(ctx.database, name);
    return { ok: 1 };
  });
}

async function drop(ctx: Context): Promise<Reply> {
  return ctx.store.write(() => {
    const { collection } = ctx;
    if (collection === undefined) return { ok: 1 };
    ctx.store.forget(collection);
    ctx.store.discard(treesOf(collection));
    return {
      nIndexesWas: collection.indexes.length + 1,
      ns: namespaceOf(collection),
      ok: 1,
    };
  });
}

async function dropDatabase(ctx: Context): Promise<Reply> {
  return ctx.store.write(() => {
    const all = collectionsOf(ctx);
    for (const collection of all) {
      ctx.store.forget(collection);
      ctx.store.discard(treesOf(collection));
    }
    return all.length === 0 ? { ok: 1 } : { dropped: ctx.database, ok: 1 };
  });
}

function splitNamespace(namespace: string): [string, string] {
  const dot = namespace.indexOf('.');
  if (dot < 0) throw new CommandError(73, `Invalid namespace specified '${namespace}'`);
  const parts: [string, string] = [namespace.slice(0, dot), namespace.slice(dot + 1)];
  checkNamespace(...parts);
  return parts;
}

/** One transaction: nobody ever sees neither, or the old one under the new name. */
async function renameCollection(ctx: Context): Promise<Reply> {
  const [from, to] = [ctx.text('renameCollection'), ctx.text('to')];
  const [database, name] = splitNamespace(to);
  splitNamespace(from);
  return ctx.store.write(() => {
    const source = ctx.store.find(from);
    const target = ctx.store.find(to);
    if (source === undefined) {
      throw new CommandError(26, `Source collection ${from} does not exist`);
    }
    if (source === target) {
      throw new CommandError(20, "Can't rename a collection to itself");
    }
    if (target !== undefined) {
      if (!ctx.flag('dropTarget')) throw new CommandError(48, 'target namespace exists');
      ctx.store.forget(target);
      ctx.store.discard(treesOf(target));
    }
    ctx.store.forget(source);
    ctx.store.keep({ ...source, database, name });
    return { ok: 1 };
  });
}

function matching(ctx: Context, documents: readonly Document[]): Document[] {
  const filter = compileFilter(ctx.document('filter'));
  return documents.filter((document) => matches(filter, documentOf(toBytes(document))));
}

async function listCollections(ctx: Context): Promise<Reply> {
  const all = collectionsOf(ctx).map((collection) => ({
    name: collection.name,
    type: 'collection',
    options: {},
    info: { readOnly: false, uuid: new UUID(collection.uuid) },
    idIndex: { v: 2, key: { _id: 1 }, name: '_id_' },
  }));
  return openCursor(ctx, sourceOf(matching(ctx, all)), Infinity, false);
}

function sizes(collections: readonly Collection[]): { documents: number; bytes: number } {
  let [documents, bytes] = [0, 0];
  for (const { totals } of collections) {
    documents += totals.documents;
    bytes += totals.bytes;
  }
  return { documents, bytes };
}

function listDatabases(ctx: Context): Reply {
  const names = new Set([...ctx.store.collections.values()].map(({ database }) => database));
  const all = [...names].toSorted().map((name) => ({
    name,
    sizeOnDisk: sizes(collectionsOf(ctx, name)).bytes,
    empty: false,
  }));
  const databases = matching(ctx, all);
  const isNameOnly = ctx.flag('nameOnly');
  return {
    databases: isNameOnly ? databases.map(({ name }) => ({ name: String(name) })) : databases,
    ...(isNameOnly ? {} : { totalSize: ctx.store.fileBytes() }),
    ok: 1,
  };
}

function collStats(ctx: Context): Reply {
  const { collection } = ctx;
  const { documents, bytes } = collection?.totals ?? { documents: 0, bytes: 0 };
  const indexes = collection === undefined ? [] : [collection.id, ...collection.indexes];
  return {
    ns: ctx.namespace,
    count: documents,
    size: bytes,
    storageSize: bytes,
    ...(documents === 0 ? {} : { avgObjSize: Math.round(bytes / documents) }),
    nindexes: indexes.length,
    indexDetails: Object.fromEntries(
      indexes.map((index) => [index.name, { key: Object.fromEntries(patternOf(index)) }]),
    ),
    capped: false,
    ok: 1,
  };
}

function dbStats(ctx: Context): Reply {
  const all = collectionsOf(ctx);
  const { documents, bytes } = sizes(all);
  return {
    db: ctx.database,
    collections: all.length,
    views: 0,
    objects: documents,
    avgObjSize: documents === 0 ? 0 : bytes / documents,
    dataSize: bytes,
    storageSize: bytes,
    indexes: all.reduce((sum, collection) => sum + collection.indexes.length + 1, 0),
    fsTotalSize: ctx.store.fileBytes(),
    ok: 1,
  };
}

/** MongoDB's compact of one collection; here all are in one file, and all of it is compacted. */
async function compact(ctx: Context): Promise<Reply> {
  ctx.text('compact');
  existing(ctx);
  const { before, after } = await ctx.store.compact();
  return { bytesFreed: Math.max(0, before - after), bytesBefore: before, bytesAfter: after, ok: 1 };
}

function getParameter(ctx: Context): Reply {
  const asked = ctx.raw('featureCompatibilityVersion');
  if (asked === undefined) throw new CommandError(72, 'no option found to get');
  return { featureCompatibilityVersion: { version: '7.0' }, ok: 1 };
}

function serverStatus(ctx: Context): Reply {
  return {
    host: '127.0.0.1',
    version: '7.0.0',
    process: 'embedded-document-store',
    pid: process.pid,
    uptime: process.uptime(),
    localTime: new Date(),
    mem: { resident: Math.round(process.memoryUsage.rss() / (1024 * 1024)) },
    storageEngine: { name: 'lmdb', persistent: true, bytes: ctx.store.fileBytes() },
    ok: 1,
  };
}

/** Commands about collections and databases. */
export const ADMIN_COMMANDS = {
  create,
  drop,
  dropDatabase,
  renameCollection,
  compact,
  listCollections,
  listDatabases,
  collStats,
  collstats: collStats,
  dbStats,
  dbstats: dbStats,
  getParameter,
  serverStatus,
};
