import { toObject, toValue } from '../bson/convert.js';
import { type Raw, documentOf } from '../bson/raw.js';
import { CommandError, notSupported } from '../errors.js';
import { compileFilter } from '../query/filter.js';
import { type Projection, compileProjection } from '../query/projection.js';
import { hintedIndex } from '../query/query.js';
import { planOf } from '../query/plan.js';
import { type Hit, Scan } from '../query/scan.js';
import { Sorter, compileSort } from '../query/sort.js';
import { checkNamespace } from '../storage/catalog.js';
import { Documents } from '../storage/documents.js';
import { idKey } from '../storage/index-keys.js';
import { type Update, compileUpdate, idOf } from '../update/update.js';
import type { Context, Reply } from './context.js';
import { checkCollation } from './find.js';
import { applyTo, findHits } from './write.js';
import { buildDocument } from '../bson/write.js';

const EMPTY = documentOf(buildDocument([]));

/** The first document by the order asked for. */
function firstHit(ctx: Context, documents: Documents, filter: Raw): Hit | undefined {
  const sort = compileSort(ctx.document('sort'));
  const hint = ctx.raw('hint');
  if (sort.length === 0) return findHits(ctx, documents, { filter, hint, limit: 1 })[0];
  const { collection } = documents;
  const index = hintedIndex(collection, hint);
  const plan = planOf(collection, compileFilter(filter), sort, index);
  const scan = new Scan(ctx.store, plan, plan.sorted ? 1 : Infinity);
  if (plan.sorted) return scan.next();
  const sorter = new Sorter(sort, 1);
  for (let hit = scan.step(); hit !== undefined; hit = scan.step()) {
    ctx.deadline.check();
    if (hit !== null) sorter.add(hit.document);
  }
  const [document] = sorter.finish();
  const id = document && idOf(documentOf(document));
  return document && id && { id: idKey(id).key, document };
}

function shown(document: Buffer | undefined, projection: Projection | undefined): unknown {
  if (document === undefined) return null;
  return toObject(documentOf(projection === undefined ? document : projection(document)));
}

interface Asked {
  readonly filter: Raw;
  readonly update: Update | undefined;
  readonly projection: Projection | undefined;
}

function asked(ctx: Context): Asked {
  checkCollation(ctx);
  if (ctx.raw('arrayFilters') !== undefined) throw notSupported('arrayFilters');
  const [remove, change] = [ctx.flag('remove'), ctx.raw('update')];
  if (remove === (change !== undefined)) {
    throw new CommandError(9, 'Either an update or remove=true must be specified');
  }
  return {
    filter: ctx.document('query') ?? EMPTY,
    update: change && compileUpdate(change),
    projection: compileProjection(ctx.document('fields')),
  };
}

function run(ctx: Context, documents: Documents, { filter, update, projection }: Asked): Reply {
  const hit = firstHit(ctx, documents, filter);
  const isNew = ctx.flag('new');
  if (update === undefined) {
    if (hit !== undefined) documents.remove(hit.id, hit.document);
    const lastErrorObject = { n: hit === undefined ? 0 : 1 };
    return { lastErrorObject, value: shown(hit?.document, projection), ok: 1 };
  }
  if (hit !== undefined) {
    const after = applyTo(documents, hit, update) ?? hit.document;
    const value = shown(isNew ? after : hit.document, projection);
    return { lastErrorObject: { n: 1, updatedExisting: true }, value, ok: 1 };
  }
  if (!ctx.flag('upsert')) {
    return { lastErrorObject: { n: 0, updatedExisting: false }, value: null, ok: 1 };
  }
  const { document, id } = update.create(filter);
  documents.insert(document, id);
  return {
    lastErrorObject: { n: 1, updatedExisting: false, upserted: toValue(id) },
    value: isNew ? shown(document, projection) : null,
    ok: 1,
  };
}

async function findAndModify(ctx: Context): Promise<Reply> {
  const request = asked(ctx);
  const name = ctx.text(ctx.name);
  checkNamespace(ctx.database, name);
  return ctx.store.write(() => {
    const collection = ctx.collection ?? ctx.store.obtain(ctx.database, name);
    return run(ctx, new Documents(ctx.store, collection), request);
  });
}

/** Commands that change one document and answer with it. */
export const FIND_AND_MODIFY_COMMANDS = { findAndModify, findandmodify: findAndModify };
