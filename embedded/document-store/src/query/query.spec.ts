import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { Query } from 'mingo';
import { type Collection, type Document, MongoClient } from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DocumentStore, startDocumentStore } from '../index.js';

interface Row extends Document {
  _id: number;
}

type Order = Record<string, 1 | -1>;

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const runs = Number(process.env['RUNS'] ?? 500);

const INDEXES: Order[] = [
  { a: 1 },
  { a: -1, b: 1 },
  { b: 1, c: -1 },
  { a: 1, b: 1, c: 1 },
  { 'n.x': 1, c: 1 },
  { tags: 1, c: -1 },
];

const scalar = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.constantFrom('', 'a', 'b', 'ba', 'a\0'),
  fc.boolean(),
  fc.constantFrom(new Date(0), new Date(5)),
  fc.constantFrom(0.5, -1, 2.5),
);
const row = fc.record(
  {
    a: fc.option(scalar),
    b: scalar,
    c: fc.integer({ min: 0, max: 20 }),
    n: fc.record({ x: fc.integer({ min: 0, max: 3 }) }),
    tags: fc.array(fc.constantFrom('p', 'q', 'r', 's'), { maxLength: 3 }),
  },
  { requiredKeys: ['c'] },
);
const condition = fc.oneof(
  scalar,
  fc.record({ $gt: scalar }),
  fc.record({ $gte: scalar, $lt: scalar }),
  fc.record({ $lte: scalar }),
  fc.record({ $in: fc.array(scalar, { minLength: 1, maxLength: 4 }) }),
  fc.record({ $ne: scalar }),
  fc.record({ $nin: fc.array(scalar, { maxLength: 2 }) }),
);
const tag = fc.constantFrom('p', 'q', 'r', 's');
const tagCondition = fc.oneof(
  tag,
  fc.record({ $in: fc.array(tag, { minLength: 1, maxLength: 3 }) }),
  fc.record({ $gt: tag }),
  fc.record({ $gte: tag, $lt: tag }),
);
/** One or two conditions: with more, hardly any document would answer. */
const simple = fc
  .uniqueArray(
    fc.oneof(
      fc.tuple(fc.constantFrom('a', 'b', 'c', 'n.x'), condition),
      fc.tuple(fc.constant('tags'), tagCondition),
    ),
    { maxLength: 2, selector: ([name]) => name },
  )
  .map((fields): Document => Object.fromEntries(fields));
const filters = fc.oneof(
  { weight: 4, arbitrary: simple },
  { weight: 1, arbitrary: fc.record({ $or: fc.array(simple, { minLength: 1, maxLength: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ $and: fc.array(simple, { minLength: 1, maxLength: 2 }) }) },
);
const sorts = fc
  .uniqueArray(fc.tuple(fc.constantFrom('a', 'b', 'c', 'n.x', 'tags'), fc.constantFrom(1, -1)), {
    maxLength: 3,
    selector: ([name]) => name,
  })
  .map((fields): Order => Object.fromEntries(fields));

let folder: string;
let store: DocumentStore;
let client: MongoClient;
let rows: Collection<Row>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'document-store-'));
  store = await startDocumentStore({ dataDir: folder, port: 0 });
  client = await new MongoClient(`mongodb://127.0.0.1:${store.port}`).connect();
});

beforeEach(({ task }) => {
  rows = client.db('test').collection<Row>(task.id);
});

afterAll(async () => {
  await client.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function refill(documents: readonly Row[], indexes: readonly Order[]): Promise<void> {
  await rows.drop();
  for (const index of indexes) await rows.createIndex(index);
  if (documents.length > 0) await rows.insertMany([...documents]);
}

/** What mingo finds in the same documents as plain objects. */
function expected(documents: readonly Row[], filter: Document): number[] {
  const query = new Query(filter);
  return documents
    .filter((document) => query.test(document))
    .map(({ _id }) => _id)
    .toSorted((a, b) => a - b);
}

async function found(filter: Document, sort: Order): Promise<Row[]> {
  return rows.find(filter, { sort }).toArray();
}

const KINDS = ['undefined', 'number', 'string', 'boolean', 'object'];

/** An empty array sorts before null. */
const EMPTY = Symbol('empty');

function kind(value: unknown): number {
  if (value === EMPTY) return -1;
  return value === null || value === undefined ? 0 : KINDS.indexOf(typeof value);
}

/** MongoDB's order of the few types these documents have; null and missing first. */
function compare(a: unknown, b: unknown): number {
  if (kind(a) !== kind(b)) return kind(a) - kind(b);
  if (typeof a === 'string' && typeof b === 'string') {
    return Buffer.compare(Buffer.from(a), Buffer.from(b));
  }
  return a === EMPTY ? 0 : Number(a ?? 0) - Number(b ?? 0);
}

/** What a document is sorted by: of an array its least or its greatest element. */
function at(document: Document, path: string, way: 1 | -1): unknown {
  const [first = '', second] = path.split('.');
  const value: unknown = document[first];
  if (Array.isArray(value)) return value.toSorted((a, b) => way * compare(a, b))[0] ?? EMPTY;
  if (second === undefined) return value;
  const inner: Document = { ...(typeof value === 'object' ? value : {}) };
  return inner[second];
}

function expectSorted(documents: readonly Row[], sort: Order): void {
  for (let next = 1; next < documents.length; next++) {
    const [before, after] = [documents[next - 1] ?? { _id: 0 }, documents[next] ?? { _id: 0 }];
    const difference = Object.entries(sort)
      .map(([path, way]) => way * compare(at(before, path, way), at(after, path, way)))
      .find((order) => order !== 0);
    expect({ sort, before, after, isInOrder: (difference ?? 0) <= 0 }).toMatchObject({
      isInOrder: true,
    });
  }
}

/** A run takes some 15 ms on a quiet machine. */
const timeout = 60_000 + runs * 100;

describe('find', { timeout }, () => {
  it(`answers any filter and sort as mingo does, whatever the index (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 40 }),
        fc.array(fc.tuple(filters, sorts), { minLength: 5, maxLength: 10 }),
        fc.subarray(INDEXES, { minLength: 0, maxLength: 3 }),
        async (list, questions, indexes) => {
          const documents: Row[] = list.map((fields, _id) => ({ _id, ...fields }));
          await refill(documents, indexes);
          for (const [filter, sort] of questions) {
            const answer = await found(filter, sort);
            const ids = answer.map(({ _id }) => _id).toSorted((a, b) => a - b);
            const asked = { filter, sort, indexes };
            expect({ asked, ids }).toEqual({ asked, ids: expected(documents, filter) });
            expectSorted(answer, sort);
          }
        },
      ),
      { seed, numRuns: runs },
    );
  });

  it(`answers the same after any updates and deletes (seed ${seed})`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { minLength: 5, maxLength: 30 }),
        fc.array(fc.tuple(fc.nat(29), fc.option(row)), { maxLength: 20 }),
        filters,
        async (list, changes, filter) => {
          const documents = new Map<number, Row>(
            list.map((fields, _id) => [_id, { _id, ...fields }]),
          );
          await refill([...documents.values()], INDEXES);
          for (const [_id, fields] of changes) {
            if (fields === null) {
              documents.delete(_id);
              await rows.deleteOne({ _id });
            } else {
              documents.set(_id, { _id, ...fields });
              await rows.replaceOne({ _id }, fields, { upsert: true });
            }
          }
          const ids = (await found(filter, { a: 1 })).map(({ _id }) => _id);
          expect(ids.toSorted((a, b) => a - b)).toEqual(expected([...documents.values()], filter));
        },
      ),
      { seed, numRuns: Math.ceil(runs / 3) },
    );
  });
});
