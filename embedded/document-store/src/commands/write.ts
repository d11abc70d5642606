import { ObjectId, type Document } from 'bson';
import { fromValue, toValue } from '../bson/convert.js';
import { numberOf, truthOf } from '../bson/number.js';
import { type Raw, ElementCursor, TYPE, fieldsOf } from '../bson/raw.js';
import { withIdFirst } from '../bson/write.js';
import { CommandError, notSupported } from '../errors.js';
import { compileFilter } from '../query/filter.js';
import { planOf } from '../query/plan.js';
import { hintedIndex } from '../query/query.js';
import { type Hit, Scan } from '../query/scan.js';
import { type Collection, checkNamespace } from '../storage/catalog.js';
import { Documents } from '../storage/documents.js';
import { idKey } from '../storage/index-keys.js';
import { type Update, checkId, compileUpdate, idOf } from '../update/update.js';
import type { Context, Deadline, Reply } from './context.js';

/** Most statements in one command (MongoDB's maxWriteBatchSize). */
export const WRITES_MAX = 100_000;

/** What one statement did. */
interface Outcome {
  n?: number;
  nModified?: number;
  upserted?: { index: number; _id: unknown };
}

interface Totals {
  n: number;
  nModified: number;
  upserted: { index: number; _id: unknown }[];
  writeErrors: Document[];
}

function writeError(index: number, error: CommandError): Document {
  return { index, code: error.code, errmsg: error.message, ...error.extra };
}

/** Runs a command's statements in one transaction; stops at the first refusal when ordered. */
async function runAll(
  ctx: Context,
  statements: readonly Raw[],
  run: (documents: Documents, statement: Raw, index: number) => Outcome,
): Promise<Totals> {
  if (statements.length === 0 || statements.length > WRITES_MAX) {
    throw new CommandError(
      72,
      `Write batch sizes must be between 1 and ${WRITES_MAX}. Got ${statements.length} operations.`,
    );
  }
  const isOrdered = ctx.flag('ordered', true);
  const name = ctx.text(ctx.name);
  checkNamespace(ctx.database, name);
  return ctx.store.write(() => {
    const totals: Totals = { n: 0, nModified: 0, upserted: [], writeErrors: [] };
    const { collection } = ctx;
    let documents = collection === undefined ? undefined : new Documents(ctx.store, collection);
    for (const [index, statement] of statements.entries()) {
      documents ??= new Documents(ctx.store, ctx.store.obtain(ctx.database, name));
      try {
        const outcome = run(documents, statement, index);
        totals.n += outcome.n ?? 0;
        totals.nModified += outcome.nModified ?? 0;
        if (outcome.upserted !== undefined) totals.upserted.push(outcome.upserted);
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        totals.writeErrors.push(writeError(index, error));
        if (isOrdered) break;
      }
    }
    return totals;
  });
}

function insertOne(documents: Documents, document: Raw): Outcome {
  const id = idOf(document) ?? fromValue(new ObjectId());
  checkId(id);
  documents.insert(withIdFirst(document, id), id);
  return { n: 1 };
}

async function insert(ctx: Context): Promise<Reply> {
  const totals = await runAll(ctx, ctx.list('documents'), insertOne);
  return { n: totals.n, ...errorsOf(totals), ok: 1 };
}

function errorsOf({ writeErrors }: Totals): Document {
  return writeErrors.length === 0 ? {} : { writeErrors };
}

/** The `_id` of a filter that is exactly `{_id: value}`, when the value is a plain one. */
export function idOfFilter(filter: Raw): Raw | undefined {
  const cursor = new ElementCursor(filter.buf, filter.start);
  if (!cursor.next() || cursor.nameEnd - cursor.nameStart !== 3 || cursor.name() !== '_id') {
    return undefined;
  }
  const id = cursor.value();
  if (cursor.next() || id.isContainer()) return undefined;
  return id.type === TYPE.regex || id.type === TYPE.undefined ? undefined : id;
}

/** The documents that a write is about, found before any of them is changed. */
export function findHits(
  ctx: Context,
  documents: Documents,
  target: { filter: Raw; hint?: Raw | undefined; limit: number },
): Hit[] {
  const { collection } = documents;
  const id = idOfFilter(target.filter);
  if (id !== undefined && !collection.id.cut) {
    const { key } = idKey(id);
    const document = documents.get(key);
    return document === undefined ? [] : [{ id: key, document }];
  }
  return scanHits(ctx.store, collection, target, ctx.deadline);
}

function scanHits(
  store: Context['store'],
  collection: Collection,
  target: { filter: Raw; hint?: Raw | undefined; limit: number },
  deadline: Deadline,
): Hit[] {
  const hint = hintedIndex(collection, target.hint);
  const plan = planOf(collection, compileFilter(target.filter), [], hint);
  const scan = new Scan(store, plan, Math.min(target.limit, PORTION));
  const hits: Hit[] = [];
  while (hits.length < target.limit) {
    deadline.check();
    const hit = scan.step();
    if (hit === undefined) break;
    if (hit !== null) hits.push(hit);
  }
  return hits;
}

/** Entries read at once by a write over many documents. */
const PORTION = 512;

/** Puts the updated document in place; false when the update changed nothing. */
export function applyTo(documents: Documents, hit: Hit, update: Update): Buffer | undefined {
  const after = update.apply(hit.document);
  if (after.equals(hit.document)) return undefined;
  documents.replace(hit.id, hit.document, after);
  return after;
}

function updateMany(
  ctx: Context,
  documents: Documents,
  statement: ReadonlyMap<string, Raw>,
  update: Update,
): Outcome & { n: number } {
  const isMulti = truthOf(statement.get('multi'));
  if (isMulti && update.isReplacement) {
    throw new CommandError(9, 'multi update is not supported for replacement-style update');
  }
  const filter = required(statement, 'q');
  const hits = findHits(ctx, documents, {
    filter,
    hint: statement.get('hint'),
    limit: isMulti ? Infinity : 1,
  });
  let nModified = 0;
  for (const hit of hits) if (applyTo(documents, hit, update) !== undefined) nModified++;
  return { n: hits.length, nModified };
}

function required(statement: ReadonlyMap<string, Raw>, field: string): Raw {
  const value = statement.get(field);
  if (value !== undefined) return value;
  throw new CommandError(40414, `BSON field 'update.updates.${field}' is missing but required`);
}

function checkStatement(statement: ReadonlyMap<string, Raw>): void {
  if (statement.has('arrayFilters')) throw notSupported('arrayFilters');
  if (statement.has('collation')) throw notSupported('A collation');
  if (statement.has('sort')) throw notSupported('sort in an update');
}

function updateOne(ctx: Context, documents: Documents, source: Raw, index: number): Outcome {
  const statement = fieldsOf(source);
  checkStatement(statement);
  const update = compileUpdate(required(statement, 'u'));
  const done = updateMany(ctx, documents, statement, update);
  if (done.n > 0 || !truthOf(statement.get('upsert'))) return done;
  const { document, id } = update.create(required(statement, 'q'));
  documents.insert(document, id);
  return { n: 1, upserted: { index, _id: toValue(id) } };
}

async function updateAll(ctx: Context): Promise<Reply> {
  const totals = await runAll(ctx, ctx.list('updates'), (documents, statement, index) =>
    updateOne(ctx, documents, statement, index),
  );
  const { n, nModified, upserted } = totals;
  return {
    n,
    nModified,
    ...(upserted.length === 0 ? {} : { upserted }),
    ...errorsOf(totals),
    ok: 1,
  };
}

function deleteSome(ctx: Context, documents: Documents, source: Raw): Outcome {
  const statement = fieldsOf(source);
  checkStatement(statement);
  const limit = numberOf(statement.get('limit')) ?? 0;
  const hits = findHits(ctx, documents, {
    filter: required(statement, 'q'),
    hint: statement.get('hint'),
    limit: limit === 1 ? 1 : Infinity,
  });
  for (const hit of hits) documents.remove(hit.id, hit.document);
  return { n: hits.length };
}

async function remove(ctx: Context): Promise<Reply> {
  const totals = await runAll(ctx, ctx.list('deletes'), (documents, statement) =>
    deleteSome(ctx, documents, statement),
  );
  return { n: totals.n, ...errorsOf(totals), ok: 1 };
}

/** Commands that write documents. */
export const WRITE_COMMANDS = { insert, update: updateAll, delete: remove };
