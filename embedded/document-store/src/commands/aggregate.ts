import { Aggregator } from 'mingo';
import type { Document } from 'bson';
import { fromValue, toBytes, toObject } from '../bson/convert.js';
import { numberOf } from '../bson/number.js';
import { type Raw, TYPE, documentOf, elementsOf, fieldsOf } from '../bson/raw.js';
import { buildArray, buildDocument } from '../bson/write.js';
import { CommandError, notSupported } from '../errors.js';
import { encodeValue } from '../keys/encode.js';
import { follow, pathOf } from '../keys/paths.js';
import { Query, type Question } from '../query/query.js';
import { drain } from './batch.js';
import type { Context, Reply } from './context.js';
import type { Source } from './cursors.js';
import { checkCollation, openCursor, questionOf } from './find.js';

/** Documents in a first portion (MongoDB's default). */
const FIRST_BATCH = 101;
/** Bytes of documents that the stages after the leading ones may take in at once. */
const INPUT_BYTES_MAX = 512 * 1024 * 1024;

/** Stages that mingo runs here. */
const STAGES = new Set([
  '$match',
  '$project',
  '$sort',
  '$limit',
  '$skip',
  '$group',
  '$unwind',
  '$count',
  '$facet',
  '$addFields',
  '$set',
  '$unset',
  '$replaceRoot',
  '$replaceWith',
  '$sortByCount',
  '$bucket',
]);

function stageOf(stage: Raw): [string, Raw] {
  const entries = stage.type === TYPE.object ? [...fieldsOf(stage)] : [];
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) {
    throw new CommandError(
      40323,
      'A pipeline stage specification object must contain exactly one field.',
    );
  }
  const [name] = entry;
  if (name === '$changeStream') {
    throw new CommandError(40573, 'The $changeStream stage is only supported on replica sets');
  }
  if (!STAGES.has(name)) {
    if (!name.startsWith('$')) {
      throw new CommandError(40324, `Unrecognized pipeline stage name: '${name}'`);
    }
    throw notSupported(`The pipeline stage ${name}`);
  }
  return entry;
}

/** Leading $match, $sort, $skip and $limit, which are answered by a query, and the stages after. */
export function leadingStages(pipeline: readonly Raw[]): { question: Question; rest: Raw[] } {
  const taken: Leading = { matches: [] };
  const stages = pipeline.map((stage) => stageOf(stage));
  let at = 0;
  for (const [name, value] of stages) {
    if (!take(taken, name, value)) break;
    at++;
  }
  const { matches, ...question } = taken;
  return { question: { filter: joined(matches), ...question }, rest: pipeline.slice(at) };
}

interface Leading {
  readonly matches: Raw[];
  sort?: Raw;
  skip?: number;
  limit?: number;
}

/** Takes a stage into the leading query if it still fits there. */
function take(taken: Leading, name: string, value: Raw): boolean {
  if (taken.limit !== undefined) return false;
  if (name === '$limit') {
    taken.limit = positive(count(name, value));
    return true;
  }
  if (taken.skip !== undefined) return false;
  if (name === '$skip') {
    taken.skip = count(name, value);
    return true;
  }
  if (taken.sort !== undefined) return false;
  if (name === '$sort') taken.sort = value;
  else if (name === '$match') taken.matches.push(value);
  return name === '$sort' || name === '$match';
}

function count(name: string, value: Raw): number {
  const number = numberOf(value);
  if (number === undefined || number < 0 || !Number.isInteger(number)) {
    throw new CommandError(5107201, `invalid argument to ${name} stage`);
  }
  return number;
}

function positive(limit: number): number {
  if (limit === 0) throw new CommandError(15958, 'the limit must be positive');
  return limit;
}

function joined(matches: readonly Raw[]): Raw | undefined {
  if (matches.length <= 1) return matches[0];
  return documentOf(buildDocument([['$and', buildArray(matches)]]));
}

/** The documents of a query, decoded one at a time. */
function* decoded(ctx: Context, query: Query): Generator<Document> {
  let bytes = 0;
  for (let step = query.step(); step !== undefined; step = query.step()) {
    ctx.deadline.check();
    if (step === null) continue;
    bytes += step.length;
    if (bytes > INPUT_BYTES_MAX) {
      throw new CommandError(292, `The pipeline took in more than ${INPUT_BYTES_MAX} bytes`);
    }
    yield toObject(documentOf(step));
  }
}

/** Runs stages by mingo; its answers come one by one and the deadline holds between them. */
function byMingo(ctx: Context, query: Query | undefined, rest: readonly Raw[]): Source {
  const pipeline = rest.map((stage) => toObject(stage));
  const input = query === undefined ? [] : decoded(ctx, query);
  const output = new Aggregator(pipeline, {}).stream(input);
  return {
    broken: () => query?.broken(),
    step() {
      const { value, done } = output.next();
      return done || value === undefined ? undefined : toBytes({ ...value });
    },
  };
}

function batchSizeOf(ctx: Context): number {
  const options = ctx.document('cursor');
  return (options && numberOf(fieldsOf(options).get('batchSize'))) ?? FIRST_BATCH;
}

async function aggregate(ctx: Context): Promise<Reply> {
  checkCollation(ctx);
  if (ctx.fields.get('aggregate')?.type !== TYPE.string) {
    leadingStages(ctx.list('pipeline'));
    throw notSupported('aggregate without a collection');
  }
  const { question, rest } = leadingStages(ctx.list('pipeline'));
  const { collection } = ctx;
  const query =
    collection && new Query(ctx.store, collection, { ...question, hint: ctx.raw('hint') });
  const source: Source =
    rest.length > 0 ? byMingo(ctx, query, rest) : (query ?? { step: () => undefined });
  return openCursor(ctx, source, batchSizeOf(ctx));
}

async function countDocuments(ctx: Context): Promise<Reply> {
  const { collection } = ctx;
  if (collection === undefined) return { n: 0, ok: 1 };
  const question = questionOf(ctx, 'query');
  const { skip = 0, limit = 0 } = question;
  const isAll = question.filter === undefined || fieldsOf(question.filter).size === 0;
  if (isAll) {
    const n = Math.max(0, collection.totals.documents - skip);
    return { n: limit > 0 ? Math.min(n, limit) : n, ok: 1 };
  }
  const query = new Query(ctx.store, collection, question);
  let n = 0;
  await drain(query, ctx.deadline, () => n++);
  return { n, ok: 1 };
}

async function distinct(ctx: Context): Promise<Reply> {
  const { collection } = ctx;
  const path = pathOf(ctx.text('key'));
  const found = new Map<string, Raw>();
  const query = collection && new Query(ctx.store, collection, questionOf(ctx, 'query'));
  if (query !== undefined) {
    await drain(query, ctx.deadline, (document) => {
      for (const value of follow(documentOf(document), path).values) {
        const each = value.type === TYPE.array ? elementsOf(value) : [value];
        for (const one of each) found.set(encodeValue(one).toString('latin1'), one);
      }
    });
  }
  const values = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value);
  return buildDocument([
    ['values', buildArray(values)],
    ['ok', fromValue(1)],
  ]);
}

/** Commands that fold documents into an answer. */
export const AGGREGATE_COMMANDS = { aggregate, count: countDocuments, distinct };
