import type { Document } from 'bson';
import { toObject } from '../bson/convert.js';
import { type Raw, TYPE, documentOf, elementsOf, fieldsOf, textOf } from '../bson/raw.js';
import { buildDocument } from '../bson/write.js';
import { CommandError, notSupported } from '../errors.js';
import { Query, type Question } from '../query/query.js';
import type { Plan } from '../query/plan.js';
import { type Collection, patternOf } from '../storage/catalog.js';
import { leadingStages } from './aggregate.js';
import { Context, type Reply } from './context.js';
import { questionOf } from './find.js';

function accessStage(plan: Plan): Document {
  const { index, collection, backward } = plan;
  const direction = backward ? 'backward' : 'forward';
  if (index === undefined) return { stage: 'COLLSCAN', direction };
  if (plan.byId && plan.ranges.length === 1 && plan.rest.length === 0) {
    return { stage: 'IDHACK', indexName: '_id_', keyPattern: { _id: 1 } };
  }
  const scan = {
    stage: 'IXSCAN',
    indexName: index.name,
    keyPattern: Object.fromEntries(patternOf(index)),
    isMultiKey: index.multikey.includes(true),
    isUnique: index.unique,
    direction,
    ranges: plan.ranges.length,
  };
  return {
    stage: 'FETCH',
    residual: plan.rest.length,
    inputStage: plan.merge ? { stage: 'SORT_MERGE', inputStage: scan } : scan,
    ...(index === collection.id ? { clustered: true } : {}),
  };
}

function winningPlan(query: Query, question: Question): Document {
  let stage = accessStage(query.plan);
  if (!query.plan.sorted) {
    const sortPattern = question.sort === undefined ? {} : toObject(question.sort);
    stage = { stage: 'SORT', sortPattern, inputStage: stage };
  }
  if (question.projection !== undefined) stage = { stage: 'PROJECTION', inputStage: stage };
  return stage;
}

function executed(query: Query): Document {
  const start = Date.now();
  let returned = 0;
  for (let step = query.step(); step !== undefined; step = query.step()) {
    if (step !== null) returned++;
  }
  return {
    executionSuccess: true,
    nReturned: returned,
    executionTimeMillis: Date.now() - start,
    totalKeysExamined: query.scan.keysExamined,
    totalDocsExamined: query.scan.documentsExamined,
  };
}

function questionsOf(inner: Context): Question {
  const { name } = inner;
  if (name === 'find') return questionOf(inner, 'filter');
  if (['count', 'distinct', 'findAndModify'].includes(name)) return questionOf(inner, 'query');
  if (name === 'aggregate') return leadingStages(inner.list('pipeline')).question;
  if (name === 'update' || name === 'delete') {
    const [statement] = inner.list(name === 'update' ? 'updates' : 'deletes');
    const fields = fieldsOf(statement ?? documentOf(buildDocument([])));
    return { filter: fields.get('q'), hint: fields.get('hint') };
  }
  throw notSupported(`explain of ${name}`);
}

function describe(ctx: Context, collection: Collection | undefined, inner: Context): Document {
  const question = questionsOf(inner);
  const base = { namespace: inner.namespace, parsedQuery: parsed(question.filter) };
  if (collection === undefined) {
    return {
      queryPlanner: { ...base, winningPlan: { stage: 'EOF' }, rejectedPlans: [] },
      executionStats: { nReturned: 0, totalKeysExamined: 0, totalDocsExamined: 0 },
    };
  }
  const query = new Query(ctx.store, collection, question);
  const queryPlanner = {
    ...base,
    winningPlan: winningPlan(query, question),
    rejectedPlans: [],
  };
  const verbosity = ctx.raw('verbosity');
  if (verbosity !== undefined && textOf(verbosity) === 'queryPlanner') return { queryPlanner };
  return { queryPlanner, executionStats: executed(query) };
}

function parsed(filter: Raw | undefined): Document {
  return filter === undefined ? {} : toObject(filter);
}

function explain(ctx: Context): Reply {
  const command = ctx.raw('explain');
  if (command?.type !== TYPE.object) throw new CommandError(14, 'explain needs a command');
  const fields = fieldsOf(command);
  const [name = ''] = fields.keys();
  const database = ctx.fields.get('$db');
  if (database !== undefined) fields.set('$db', database);
  const sequences = new Map<string, Raw[]>();
  for (const [field, value] of fields) {
    if (value.type === TYPE.array) sequences.set(field, elementsOf(value));
  }
  const inner = new Context(ctx.server, name, fields, sequences);
  return {
    ...describe(ctx, inner.collection, inner),
    serverInfo: { host: '127.0.0.1', version: '7.0.0' },
    ok: 1,
  };
}

/** Tells how a query would be answered. */
export const EXPLAIN_COMMANDS = { explain };
