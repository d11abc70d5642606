import { CommandError, notSupported } from '../errors.js';
import { TYPE, elementsOf, fieldsOf, textOf } from '../bson/raw.js';
import { integerOf } from '../bson/number.js';
import { Query, type Question } from '../query/query.js';
import { cursorReply, fillBatch } from './batch.js';
import { type Context, type Reply, cursorNumber } from './context.js';
import type { OpenCursor, Source } from './cursors.js';

/** Documents in a first portion when the client names no size (MongoDB's default). */
const FIRST_BATCH = 101;

/** Refuses what changes how text compares, which no index here knows. */
export function checkCollation(ctx: Context): void {
  const collation = ctx.document('collation');
  if (collation === undefined) return;
  const locale = fieldsOf(collation).get('locale');
  if (locale === undefined || textOf(locale) !== 'simple') throw notSupported('A collation');
}

/** Reads what a find, count or findAndModify asks for. */
export function questionOf(ctx: Context, filterField: string): Question {
  checkCollation(ctx);
  return {
    filter: ctx.document(filterField),
    sort: ctx.document('sort'),
    projection: ctx.document('projection'),
    hint: ctx.raw('hint'),
    skip: ctx.number('skip'),
    limit: ctx.number('limit'),
  };
}

const NOTHING: Source = { step: () => undefined };

/** Answers the first portion of a source and keeps the rest for getMore. */
export async function openCursor(
  ctx: Context,
  source: Source,
  batchSize: number,
  isSingle = false,
): Promise<Buffer> {
  const { namespace } = ctx;
  const cursor: OpenCursor = { namespace, source, held: undefined, usedAt: Date.now() };
  const { documents, isDone } = await fillBatch(cursor, batchSize, ctx.deadline);
  const id = isDone || isSingle ? 0n : ctx.server.cursors.add(cursor);
  return cursorReply('firstBatch', id, namespace, documents);
}

async function find(ctx: Context): Promise<Reply> {
  if (ctx.flag('tailable')) throw notSupported('A tailable cursor');
  const { collection } = ctx;
  const question = questionOf(ctx, 'filter');
  const limit = question.limit ?? 0;
  const batchSize = ctx.number('batchSize') ?? FIRST_BATCH;
  const isSingle = ctx.flag('singleBatch');
  const source = collection === undefined ? NOTHING : new Query(ctx.store, collection, question);
  const size = limit > 0 && limit <= batchSize ? limit + 1 : batchSize;
  return openCursor(ctx, source, size, isSingle);
}

async function getMore(ctx: Context): Promise<Reply> {
  const id = integerOf(ctx.fields.get('getMore') ?? badCursor()) ?? 0n;
  const cursor = ctx.server.cursors.take(id);
  const namespace = `${ctx.database}.${ctx.text('collection')}`;
  if (namespace !== cursor.namespace) {
    throw new CommandError(13, `cursor ${id} belongs to ${cursor.namespace}`);
  }
  const broken = cursor.source.broken?.();
  if (broken !== undefined) {
    ctx.server.cursors.kill(id);
    throw new CommandError(175, broken);
  }
  const size = ctx.number('batchSize') ?? 0;
  const { documents, isDone } = await fillBatch(cursor, size === 0 ? Infinity : size, ctx.deadline);
  if (isDone) ctx.server.cursors.kill(id);
  return cursorReply('nextBatch', isDone ? 0n : id, namespace, documents);
}

function badCursor(): never {
  throw new CommandError(14, 'getMore needs a cursor id');
}

function killCursors(ctx: Context): Reply {
  const killed: bigint[] = [];
  const unknown: bigint[] = [];
  const list = ctx.raw('cursors');
  if (list?.type !== TYPE.array) throw new CommandError(14, 'killCursors needs an array of ids');
  for (const value of elementsOf(list)) {
    const id = integerOf(value) ?? 0n;
    (ctx.server.cursors.kill(id) ? killed : unknown).push(id);
  }
  return {
    cursorsKilled: killed.map(cursorNumber),
    cursorsNotFound: unknown.map(cursorNumber),
    cursorsAlive: [],
    cursorsUnknown: [],
    ok: 1,
  };
}

/** Commands that read by cursor. */
export const FIND_COMMANDS = { find, getMore, killCursors };
