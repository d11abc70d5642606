import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Binary,
  type Collection,
  Decimal128,
  type Document,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  MongoBulkWriteError,
  MongoClient,
  MongoServerError,
  ObjectId,
  Timestamp,
  UUID,
} from 'mongodb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type DocumentStore, startDocumentStore } from './index.js';

interface Any extends Document {
  _id: string | number | ObjectId;
}

/** The part of an explain's answer that the tests look at. */
interface Explained {
  queryPlanner?: { winningPlan: Stage };
  executionStats?: { totalKeysExamined: number; totalDocsExamined: number };
}

interface Stage {
  stage: string;
  indexName?: string;
  direction?: string;
  inputStage?: Stage;
}

let folder: string;
let store: DocumentStore;
let client: MongoClient;
let things: Collection<Any>;
let round = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'document-store-'));
  store = await startDocumentStore({ dataDir: folder, port: 0 });
  client = await new MongoClient(`mongodb://127.0.0.1:${store.port}`).connect();
});

afterAll(async () => {
  await client.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  things = client.db('test').collection<Any>(`things${++round}`);
});

async function refusal(work: Promise<unknown>): Promise<MongoServerError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof MongoServerError) return error;
    throw error;
  }
  throw new Error('it was not refused');
}

async function fill(...documents: Any[]): Promise<void> {
  await things.insertMany(documents);
}

async function ids(filter: Document, sort?: Record<string, 1 | -1>): Promise<unknown[]> {
  const cursor = things.find(filter);
  if (sort !== undefined) cursor.sort(sort);
  return (await cursor.toArray()).map(({ _id }) => _id);
}

interface Access {
  stages: string[];
  index: string | undefined;
  direction: string | undefined;
  keys: number | undefined;
  documents: number | undefined;
}

async function access(filter: Document, sort?: Record<string, 1 | -1>): Promise<Access> {
  const cursor = things.find(filter);
  if (sort !== undefined) cursor.sort(sort);
  return accessOf(await cursor.explain('executionStats'));
}

function accessOf(plan: Explained): Access {
  const stages: string[] = [];
  let last: Stage | undefined;
  for (let stage = plan.queryPlanner?.winningPlan; stage !== undefined; stage = stage.inputStage) {
    stages.push(stage.stage);
    last = stage;
  }
  return {
    stages,
    index: last?.indexName,
    direction: last?.direction,
    keys: plan.executionStats?.totalKeysExamined,
    documents: plan.executionStats?.totalDocsExamined,
  };
}

describe('the handshake', () => {
  it('presents a standalone of MongoDB 7.0 with sessions', async () => {
    const hello = await client.db('admin').command({ hello: 1 });
    expect(hello).toMatchObject({
      isWritablePrimary: true,
      maxBsonObjectSize: 16_777_216,
      maxMessageSizeBytes: 48_000_000,
      maxWriteBatchSize: 100_000,
      maxWireVersion: 21,
      ok: 1,
    });
    expect(hello).not.toHaveProperty('setName');
    expect(hello['logicalSessionTimeoutMinutes']).toBe(30);
  });

  it('answers ping and buildInfo', async () => {
    expect(await client.db('admin').command({ ping: 1 })).toEqual({ ok: 1 });
    expect(await client.db('admin').command({ buildInfo: 1 })).toMatchObject({ version: '7.0.0' });
  });

  it('refuses a command it does not know with CommandNotFound', async () => {
    const error = await refusal(client.db('test').command({ makeCoffee: 1 }));
    expect([error.code, error.codeName]).toEqual([59, 'CommandNotFound']);
  });

  it('refuses transactions with code 20 and stores nothing of them', async () => {
    const session = client.startSession();
    session.startTransaction();
    expect((await refusal(things.findOne({}, { session }))).code).toBe(20);
    const error = await refusal(things.insertOne({ _id: 1 }, { session }));
    expect(error['originalError']).toMatchObject({ code: 20 });
    await session.abortTransaction();
    await session.endSession();
    expect(await ids({})).toEqual([]);
  });

  it('refuses change streams with code 40573', async () => {
    const error = await refusal(things.watch().next());
    expect(error.code).toBe(40573);
  });
});

describe('inserting', () => {
  it('keeps every BSON type as it was', async () => {
    const document = {
      _id: new ObjectId(),
      double: new Double(1.5),
      whole: new Double(2),
      int: new Int32(7),
      long: Long.fromString('9007199254740993'),
      decimal: Decimal128.fromString('1.10'),
      text: 'naïve ☕\0end',
      nested: { a: [1, { b: null }] },
      binary: new Binary(Buffer.from([1, 2, 3]), 0),
      uuid: new UUID(),
      date: new Date(1_700_000_000_123),
      timestamp: new Timestamp({ t: 5, i: 6 }),
      regex: /a+/i,
      yes: true,
      nothing: null,
      min: new MinKey(),
      max: new MaxKey(),
    };
    await fill(document);
    const raw = await things.findOne({ _id: document._id }, { promoteValues: false });
    expect(raw).toMatchObject({ whole: new Double(2), int: new Int32(7), long: document.long });
    const plain = await things.findOne({ _id: document._id }, { promoteLongs: false });
    expect(plain).toMatchObject({
      text: document.text,
      nested: document.nested,
      date: document.date,
      decimal: document.decimal,
      nothing: null,
    });
    expect(String(plain?.['uuid'])).toBe(document.uuid.toString());
  });

  it('gives an _id where there is none and puts it first', async () => {
    await client.db('test').command({ insert: things.collectionName, documents: [{ a: 1 }] });
    const found = await things.findOne({});
    expect(Object.keys(found ?? {})).toEqual(['_id', 'a']);
    expect(found?._id).toBeInstanceOf(ObjectId);
  });

  it('refuses a taken _id with 11000, keyPattern and keyValue', async () => {
    await fill({ _id: 'a' });
    const error = await refusal(things.insertOne({ _id: 'a' }));
    expect(error.code).toBe(11000);
    expect(error['keyPattern']).toEqual({ _id: 1 });
    expect(error['keyValue']).toEqual({ _id: 'a' });
    expect(error.message).toBe(
      `E11000 duplicate key error collection: ${things.namespace} index: _id_ dup key: { _id: "a" }`,
    );
  });

  it('stores a document just below 16 MiB and refuses one above', async () => {
    const room = 16 * 1024 * 1024 - 40;
    await fill({ _id: 'big', text: 'x'.repeat(room) });
    expect((await things.findOne({ _id: 'big' }))?.['text']).toHaveLength(room);
    const error = await refusal(
      things.updateOne({ _id: 'big' }, { $set: { more: 'y'.repeat(64) } }),
    );
    expect(error.code).toBe(10334);
    expect(await things.findOne({ _id: 'big', more: { $exists: true } })).toBeNull();
  });

  it('refuses arrays and regexes as _id', async () => {
    for (const _id of [[1], /a/]) {
      const loose = client.db('test').collection<{ _id: unknown }>(things.collectionName);
      expect((await refusal(loose.insertOne({ _id }))).code).toBe(53);
    }
  });
});

describe('bulks', () => {
  it('stops an ordered bulk at the first refusal and names its place', async () => {
    const error = await things
      .insertMany([{ _id: 1 }, { _id: 1 }, { _id: 2 }])
      .then(() => undefined)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(MongoBulkWriteError);
    expect(error).toMatchObject({ writeErrors: [{ index: 1, code: 11000 }] });
    expect(await ids({})).toEqual([1]);
  });

  it('does all it can of an unordered bulk', async () => {
    await things.createIndex({ email: 1 }, { unique: true });
    const error = await things
      .bulkWrite(
        [
          { insertOne: { document: { _id: 1, email: 'a' } } },
          { insertOne: { document: { _id: 2, email: 'a' } } },
          { replaceOne: { filter: { _id: 3 }, replacement: { email: 'c' }, upsert: true } },
          { insertOne: { document: { _id: 4, email: 'a' } } },
          { updateOne: { filter: { _id: 1 }, update: { $set: { n: 1 } } } },
          { deleteOne: { filter: { _id: 9 } } },
        ],
        { ordered: false },
      )
      .then(() => undefined)
      .catch((caught: unknown) => caught);
    expect(error).toMatchObject({
      writeErrors: [{ index: 1 }, { index: 3 }],
      result: { insertedCount: 1, upsertedCount: 1, modifiedCount: 1 },
    });
    expect(await ids({}, { _id: 1 })).toEqual([1, 3]);
  });

  it('refuses an update that would break a unique index and changes nothing', async () => {
    await things.createIndex({ a: 1, b: -1 }, { unique: true });
    await fill({ _id: 1, a: 1, b: 1 }, { _id: 2, a: 1, b: 2 });
    const error = await refusal(things.updateOne({ _id: 2 }, { $set: { b: 1, c: 1 } }));
    expect(error['keyPattern']).toEqual({ a: 1, b: -1 });
    expect(error['keyValue']).toEqual({ a: 1, b: 1 });
    expect(await things.findOne({ _id: 2 })).toEqual({ _id: 2, a: 1, b: 2 });
  });

  it('answers w:0 writes with nothing and still does them', async () => {
    await things.insertOne({ _id: 'quiet' }, { writeConcern: { w: 0 } });
    await expect.poll(async () => ids({})).toEqual(['quiet']);
  });

  it('sees its own writes within one bulk', async () => {
    await things.bulkWrite([
      { insertOne: { document: { _id: 1, k: 'x' } } },
      { updateOne: { filter: { k: 'x' }, update: { $inc: { n: 2 } } } },
      { updateMany: { filter: { n: 2 }, update: { $inc: { n: 1 } } } },
    ]);
    expect(await things.findOne({})).toEqual({ _id: 1, k: 'x', n: 3 });
  });
});

describe('updating', () => {
  const start = { a: 1, list: [1, 2, 3], nested: { x: 1, y: [{ z: 1 }] }, text: 't' };
  const cases: [string, Document, Document][] = [
    [
      '$set',
      { $set: { a: 2, 'nested.x': 5, 'new.deep': 1 } },
      { a: 2, nested: { x: 5, y: [{ z: 1 }] }, new: { deep: 1 } },
    ],
    [
      '$set into an array',
      { $set: { 'list.1': 9, 'nested.y.0.z': 2 } },
      { list: [1, 9, 3], nested: { x: 1, y: [{ z: 2 }] } },
    ],
    ['$set past an array', { $set: { 'list.4': 9 } }, { list: [1, 2, 3, null, 9] }],
    [
      '$unset',
      { $unset: { text: '', 'nested.x': '' } },
      { text: undefined, nested: { y: [{ z: 1 }] } },
    ],
    ['$inc', { $inc: { a: 2, fresh: 3 } }, { a: 3, fresh: 3 }],
    ['$mul', { $mul: { a: 2.5, fresh: 3 } }, { a: 2.5, fresh: 0 }],
    ['$min', { $min: { a: 0, text: 'u' } }, { a: 0, text: 't' }],
    ['$max', { $max: { a: 0, text: 'u' } }, { a: 1, text: 'u' }],
    ['$push', { $push: { list: 4, fresh: 1 } }, { list: [1, 2, 3, 4], fresh: [1] }],
    ['$push $each $slice', { $push: { list: { $each: [4, 5], $slice: -3 } } }, { list: [3, 4, 5] }],
    ['$push $position', { $push: { list: { $each: [0], $position: 0 } } }, { list: [0, 1, 2, 3] }],
    ['$addToSet', { $addToSet: { list: 2 } }, { list: [1, 2, 3] }],
    ['$addToSet $each', { $addToSet: { list: { $each: [3, 4, 4] } } }, { list: [1, 2, 3, 4] }],
    ['$pull', { $pull: { list: { $gte: 2 } } }, { list: [1] }],
    [
      '$pull by value',
      { $pull: { list: 2, 'nested.y': { z: 1 } } },
      { list: [1, 3], nested: { x: 1, y: [] } },
    ],
    ['$pullAll', { $pullAll: { list: [1, 3] } }, { list: [2] }],
    ['$pop', { $pop: { list: -1 } }, { list: [2, 3] }],
    [
      '$rename',
      { $rename: { text: 'nested.t' } },
      { text: undefined, nested: { x: 1, y: [{ z: 1 }], t: 't' } },
    ],
    ['$setOnInsert', { $setOnInsert: { a: 9 }, $set: { b: 1 } }, { a: 1, b: 1 }],
    [
      'a replacement',
      { only: 1 },
      { only: 1, a: undefined, list: undefined, nested: undefined, text: undefined },
    ],
  ];
  it.each(cases)('%s', async (_name, update, expected) => {
    await fill({ _id: 1, ...start });
    const isOperators = Object.keys(update)[0]?.startsWith('$') === true;
    if (isOperators) await things.updateOne({ _id: 1 }, update);
    else await things.replaceOne({ _id: 1 }, update);
    const wanted = Object.fromEntries(
      Object.entries({ _id: 1, ...start, ...expected }).filter(([, value]) => value !== undefined),
    );
    expect(await things.findOne({})).toEqual(wanted);
  });

  it('counts what matched and what changed', async () => {
    await fill({ _id: 1, a: 1 }, { _id: 2, a: 2 });
    const result = await things.updateMany({}, { $set: { a: 1 } });
    expect(result).toMatchObject({ matchedCount: 2, modifiedCount: 1, upsertedCount: 0 });
  });

  it('upserts from the filter, the operators and $setOnInsert', async () => {
    const result = await things.updateOne(
      { _id: 'n', kind: 'x', at: { $gt: 3 } },
      { $set: { b: 1 }, $setOnInsert: { c: 2 } },
      { upsert: true },
    );
    expect(result).toMatchObject({ matchedCount: 0, upsertedCount: 1, upsertedId: 'n' });
    expect(await things.findOne({})).toEqual({ _id: 'n', kind: 'x', b: 1, c: 2 });
    const made = await things.updateOne({ other: 1 }, { $inc: { n: 1 } }, { upsert: true });
    expect(made.upsertedId).toBeInstanceOf(ObjectId);
  });

  it('keeps integers integers and widens on overflow', async () => {
    await fill({ _id: 1, n: new Int32(2_147_483_647) });
    await things.updateOne({ _id: 1 }, { $inc: { n: 1 } });
    const found = await things.findOne({}, { promoteValues: false });
    expect(found?.['n']).toEqual(Long.fromNumber(2_147_483_648));
  });

  const refused: [string, Document, number][] = [
    ['a change of _id', { $set: { _id: 2 } }, 66],
    ['two changes of one path', { $set: { a: 1 }, $inc: { a: 1 } }, 40],
    ['changes of a path and one below it', { $set: { 'a.b': 1, a: 2 } }, 40],
    ['a path through a plain value', { $set: { 'a.b': 1 } }, 28],
    ['$inc of text', { $inc: { text: 1 } }, 14],
    ['$inc by text', { $inc: { a: 'x' } }, 14],
    ['$push to what is no array', { $push: { a: 1 } }, 2],
    ['an unknown operator', { $frobnicate: { a: 1 } }, 9],
    ['a positional path', { $set: { 'list.$[]': 1 } }, 238],
  ];
  it.each(refused)('refuses %s', async (_name, update, code) => {
    await fill({ _id: 1, ...start });
    expect((await refusal(things.updateOne({ _id: 1 }, update))).code).toBe(code);
    expect(await things.findOne({})).toEqual({ _id: 1, ...start });
  });

  it('refuses pipelines clearly', async () => {
    const error = await refusal(things.updateOne({ _id: 1 }, [{ $set: { a: 1 } }]));
    expect(error.code).toBe(238);
    expect(error.message).toContain('pipeline');
  });
});

describe('deleting and findAndModify', () => {
  it('deletes one or all and their index entries', async () => {
    await things.createIndex({ k: 1 });
    await fill({ _id: 1, k: 1 }, { _id: 2, k: 1 }, { _id: 3, k: 1 }, { _id: 4, k: 2 });
    expect(await things.deleteOne({ k: 1 })).toMatchObject({ deletedCount: 1 });
    expect(await things.deleteMany({ k: 1 })).toMatchObject({ deletedCount: 2 });
    expect(await ids({ k: { $gte: 0 } })).toEqual([4]);
    expect(await things.estimatedDocumentCount()).toBe(1);
    expect((await access({ k: 1 })).keys).toBe(0);
  });

  it('changes the first by its order and answers before or after', async () => {
    await fill({ _id: 1, n: 5 }, { _id: 2, n: 3 }, { _id: 3, n: 4 });
    const before = await things.findOneAndUpdate({}, { $inc: { n: 10 } }, { sort: { n: 1 } });
    expect(before).toEqual({ _id: 2, n: 3 });
    const after = await things.findOneAndUpdate(
      { _id: 2 },
      { $set: { m: 1 } },
      { returnDocument: 'after', projection: { m: 1 } },
    );
    expect(after).toEqual({ _id: 2, m: 1 });
    expect(await things.findOneAndDelete({}, { sort: { n: -1 } })).toEqual({ _id: 2, n: 13, m: 1 });
    expect(await things.findOneAndReplace({ _id: 9 }, { a: 1 }, { upsert: true })).toBeNull();
    expect(await ids({}, { _id: 1 })).toEqual([1, 3, 9]);
    expect(await things.findOneAndDelete({ _id: 'none' })).toBeNull();
  });
});

describe('finding', () => {
  it('orders values of all types as MongoDB does', async () => {
    const ordered: unknown[] = [
      new MinKey(),
      null,
      Number.NaN,
      -Infinity,
      Long.fromString('-9007199254740993'),
      -9_007_199_254_740_992,
      -1.5,
      Decimal128.fromString('-0.5'),
      0,
      Decimal128.fromString('0.1'),
      new Double(0.5),
      new Int32(3),
      Long.fromNumber(4),
      9_007_199_254_740_992,
      Long.fromString('9007199254740993'),
      Infinity,
      '',
      'a',
      'a\0b',
      'ab',
      'é',
      {},
      { a: 1 },
      { a: 2 },
      { b: 1 },
      { a: 'x' },
      new Binary(Buffer.from([9]), 0),
      new Binary(Buffer.from([1, 1]), 0),
      new ObjectId('000000000000000000000001'),
      new ObjectId('000000000000000000000002'),
      false,
      true,
      new Date(-5),
      new Date(5),
      new Timestamp({ t: 1, i: 1 }),
      new MaxKey(),
    ];
    const documents = ordered.map((v, at) => ({ _id: at, v }));
    await things.insertMany(documents.toReversed());
    const wanted = ordered.map((_, at) => at);
    expect(await ids({}, { v: 1 })).toEqual(wanted);
    await things.createIndex({ v: 1 });
    expect(await ids({}, { v: 1 })).toEqual(wanted);
    expect(await ids({}, { v: -1 })).toEqual(wanted.toReversed());
    expect(await access({}, { v: -1 })).toMatchObject({ index: 'v_1', direction: 'backward' });
    await things.dropIndex('v_1');
    await things.createIndex({ v: -1 });
    expect(await ids({}, { v: 1 })).toEqual(wanted);
  });

  it('compares only values of the operand’s kind', async () => {
    await fill(
      { _id: 1, v: 5 },
      { _id: 2, v: 'text' },
      { _id: 3, v: null },
      { _id: 4 },
      { _id: 5, v: new Date(9) },
    );
    for (const index of [false, true]) {
      if (index) await things.createIndex({ v: 1 });
      expect(await ids({ v: { $gt: 1 } })).toEqual([1]);
      expect(await ids({ v: { $lt: 'z' } })).toEqual([2]);
      expect(await ids({ v: null })).toEqual([3, 4]);
      expect(await ids({ v: { $lte: new Date(9) } })).toEqual([5]);
      expect(await ids({ v: { $ne: null } })).toHaveLength(3);
      expect(await ids({ v: { $exists: false } })).toEqual([4]);
    }
  });

  const filters: [Document, number[]][] = [
    [{ tags: 'a' }, [1, 2]],
    [{ tags: { $all: ['a', 'b'] } }, [1]],
    [{ tags: { $size: 1 } }, [2, 3]],
    [{ tags: ['a', 'b'] }, [1]],
    [{ 'items.n': { $gt: 4 } }, [2]],
    [{ items: { $elemMatch: { n: { $gt: 1, $lt: 5 }, k: 'x' } } }, [1]],
    [{ $or: [{ n: 1 }, { name: /^be/i }] }, [1, 2]],
    [{ $nor: [{ n: 1 }, { n: 2 }] }, [3]],
    [{ n: { $not: { $gt: 1 } } }, [1]],
    [{ n: { $nin: [1, 3] } }, [2]],
    [{ n: { $mod: [2, 1] } }, [1, 3]],
    [{ name: { $regex: 'MA$', $options: 'i' } }, [3]],
    [{ name: { $type: 'string' }, n: { $type: 'number' } }, [1, 2, 3]],
    [{ $and: [{ n: { $gte: 2 } }, { n: { $lt: 3 } }] }, [2]],
    [{ $expr: { $gt: ['$n', 2] } }, [3]],
    [{ 'items.0.n': 2 }, [1]],
  ];
  it.each(filters)('answers %j', async (filter, wanted) => {
    await fill(
      { _id: 1, n: 1, name: 'Alpha', tags: ['a', 'b'], items: [{ n: 2, k: 'x' }] },
      {
        _id: 2,
        n: 2,
        name: 'Beta',
        tags: ['a'],
        items: [
          { n: 5, k: 'x' },
          { n: 0, k: 'y' },
        ],
      },
      { _id: 3, n: 3, name: 'Gamma', tags: ['c'], items: [] },
    );
    expect(await ids(filter, { _id: 1 })).toEqual(wanted);
  });

  it('projects by inclusion, exclusion and path', async () => {
    await fill({ _id: 1, a: 1, b: { c: 2, d: 3 }, e: [{ f: 1, g: 2 }] });
    const show = async (projection: Document): Promise<unknown> =>
      things.findOne({}, { projection });
    expect(await show({ a: 1 })).toEqual({ _id: 1, a: 1 });
    expect(await show({ a: 0, _id: 0 })).toEqual({ b: { c: 2, d: 3 }, e: [{ f: 1, g: 2 }] });
    expect(await show({ 'b.c': 1, 'e.g': 1, _id: 0 })).toEqual({ b: { c: 2 }, e: [{ g: 2 }] });
    expect(await show({ 'b.c': 0, e: 0 })).toEqual({ _id: 1, a: 1, b: { d: 3 } });
    expect(await show({ e: { $slice: 1 }, a: 1 })).toMatchObject({ e: [{ f: 1, g: 2 }] });
    expect((await refusal(things.findOne({}, { projection: { a: 1, b: 0 } }))).code).toBe(31254);
  });

  it('skips and limits after sorting', async () => {
    await things.insertMany(Array.from({ length: 30 }, (_, n) => ({ _id: n, n: n % 7 })));
    const found = await things.find({}).sort({ n: -1, _id: 1 }).skip(3).limit(4).toArray();
    expect(found.map(({ _id }) => _id)).toEqual([27, 5, 12, 19]);
  });

  it('refuses an unknown operator, $where and a wrong hint', async () => {
    await fill({ _id: 1 });
    expect((await refusal(things.findOne({ a: { $foo: 1 } }))).code).toBe(2);
    expect((await refusal(things.findOne({ $where: 'true' }))).code).toBe(238);
    expect((await refusal(things.find({}).hint('no_such').toArray())).code).toBe(2);
  });

  it('gives up with code 50 when the time is over', async () => {
    await things.insertMany(
      Array.from({ length: 20_000 }, (_, n) => ({
        _id: n,
        list: Array.from({ length: 20 }, () => ({ n })),
      })),
    );
    const slow = { list: { $elemMatch: { n: { $mod: [20_011, 20_010] } } } };
    expect((await refusal(things.find(slow, { maxTimeMS: 1 }).toArray())).code).toBe(50);
    expect(
      (
        await refusal(
          things
            .aggregate([{ $unwind: '$list' }, { $group: { _id: '$list.n' } }], { maxTimeMS: 1 })
            .toArray(),
        )
      ).code,
    ).toBe(50);
  });
});

describe('cursors', () => {
  it('go out in portions until the end', async () => {
    await things.insertMany(Array.from({ length: 1_000 }, (_, n) => ({ _id: n })));
    const cursor = things.find({}, { batchSize: 7 });
    const seen: unknown[] = [];
    for await (const { _id } of cursor) seen.push(_id);
    expect(seen).toEqual(Array.from({ length: 1_000 }, (_, n) => n));
  });

  it('go on where they were while documents come and go', async () => {
    await things.createIndex({ n: 1 });
    await things.insertMany(Array.from({ length: 100 }, (_, n) => ({ _id: n, n })));
    const cursor = things.find({ n: { $gte: 0 } }, { batchSize: 10 }).sort({ n: 1 });
    for (let n = 0; n < 10; n++) await cursor.next();
    await things.deleteMany({ n: { $lt: 95 } });
    const seen = (await cursor.toArray()).map(({ _id }) => _id);
    expect(seen.slice(-5)).toEqual([95, 96, 97, 98, 99]);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('are refused when killed or unknown', async () => {
    await things.insertMany(Array.from({ length: 10 }, (_, n) => ({ _id: n })));
    const reply = await client
      .db('test')
      .command({ find: things.collectionName, batchSize: 2 }, { promoteLongs: false });
    const id = Long.fromString(String(reply['cursor'].id));
    const name = things.collectionName;
    const killed = await client.db('test').command({ killCursors: name, cursors: [id, Long.ONE] });
    expect(killed['cursorsKilled']).toHaveLength(1);
    expect(killed['cursorsNotFound']).toHaveLength(1);
    const error = await refusal(client.db('test').command({ getMore: id, collection: name }));
    expect(error.code).toBe(43);
  });

  it('say so when what they read was dropped', async () => {
    await things.createIndex({ n: 1 });
    await things.insertMany(Array.from({ length: 50 }, (_, n) => ({ _id: n, n })));
    const byIndex = things.find({ n: { $gte: 0 } }, { batchSize: 5 });
    const all = things.find({}, { batchSize: 5 });
    for (let n = 0; n < 5; n++) await Promise.all([byIndex.next(), all.next()]);
    await things.dropIndex('n_1');
    expect((await refusal(byIndex.toArray())).code).toBe(175);
    await things.drop();
    expect((await refusal(all.toArray())).code).toBe(175);
  });

  it('carry more than one message holds', async () => {
    const text = 'x'.repeat(6 * 1024 * 1024);
    for (let n = 0; n < 8; n++) await fill({ _id: n, text });
    expect((await things.find({}).toArray()).map(({ _id }) => _id)).toEqual([
      0, 1, 2, 3, 4, 5, 6, 7,
    ]);
  });
});

describe('indexes', () => {
  beforeEach(async () => {
    const all: Any[] = [];
    for (let c = 0; c < 5; c++) {
      for (let s = 0; s < 40; s++) {
        all.push({ _id: `${c}-${s}`, c, s, at: 100 - s, who: [`u${s % 4}`, `v${c}`] });
      }
    }
    await things.insertMany(all);
  });

  it('fetch by _id without a scan', async () => {
    expect(await access({ _id: '1-1' })).toMatchObject({
      stages: ['IDHACK'],
      keys: 1,
      documents: 1,
    });
    expect(await access({ _id: { $in: ['1-1', '2-2', 'zz'] } })).toMatchObject({
      index: '_id_',
      documents: 2,
    });
  });

  it('read a whole collection only when nothing fits', async () => {
    expect(await access({ c: 1 })).toMatchObject({ stages: ['COLLSCAN'], documents: 200 });
  });

  it('answer equality, then a range, in the index’s order', async () => {
    await things.createIndex({ c: 1, s: 1 });
    const plan = await access({ c: 2, s: { $gte: 10, $lt: 15 } }, { s: 1 });
    expect(plan).toEqual({
      stages: ['FETCH', 'IXSCAN'],
      index: 'c_1_s_1',
      direction: 'forward',
      keys: 5,
      documents: 5,
    });
    expect(await ids({ c: 2, s: { $gte: 10, $lt: 15 } }, { s: -1 })).toEqual([
      '2-14',
      '2-13',
      '2-12',
      '2-11',
      '2-10',
    ]);
    expect(await access({ c: 2 }, { s: -1 })).toMatchObject({ direction: 'backward', keys: 40 });
  });

  it('read no more than a limit asks for', async () => {
    await things.createIndex({ c: 1, s: -1 });
    const cursor = things.find({ c: 2 }).sort({ s: -1 }).limit(3);
    expect(accessOf(await cursor.explain('executionStats')).keys).toBe(3);
  });

  it('serve mixed directions and refuse the order they cannot give', async () => {
    await things.createIndex({ c: 1, s: -1 });
    expect(await access({}, { c: 1, s: -1 })).toMatchObject({ stages: ['FETCH', 'IXSCAN'] });
    expect(await access({}, { c: -1, s: 1 })).toMatchObject({ direction: 'backward' });
    expect((await access({ c: { $gte: 0 } }, { c: 1, s: 1 })).stages[0]).toBe('SORT');
    expect((await ids({}, { c: 1, s: -1 })).slice(0, 2)).toEqual(['0-39', '0-38']);
    expect((await ids({}, { c: -1, s: 1 })).slice(0, 2)).toEqual(['4-0', '4-1']);
  });

  it('merge the ranges of $in and keep the order', async () => {
    await things.createIndex({ c: 1, s: 1 });
    const filter = { c: { $in: [3, 1] }, s: { $lt: 2 } };
    expect(await access(filter, { s: 1 })).toMatchObject({
      stages: ['FETCH', 'SORT_MERGE', 'IXSCAN'],
      keys: 4,
    });
    const sorted = await things.find(filter).sort({ s: -1 }).toArray();
    expect(sorted.map(({ _id, s }) => [s, String(_id).slice(2)])).toEqual([
      [1, '1'],
      [1, '1'],
      [0, '0'],
      [0, '0'],
    ]);
    expect(await ids({ c: { $in: [3, 1] } }, { c: 1, s: 1 })).toHaveLength(80);
    expect((await access({ c: { $in: [3, 1] } }, { c: 1, s: 1 })).stages).toEqual([
      'FETCH',
      'IXSCAN',
    ]);
  });

  it('read the ranges of $in backward', async () => {
    await things.createIndex({ c: 1, s: 1 });
    const filter = { c: { $in: [3, 1] }, s: { $gte: 39 } };
    expect(await ids(filter, { c: -1, s: -1 })).toEqual(['3-39', '1-39']);
    expect(await access(filter, { c: -1, s: -1 })).toMatchObject({ direction: 'backward' });
  });

  it('find elements of arrays, each document once', async () => {
    await things.createIndex({ who: 1, at: -1 });
    expect(await access({ who: 'u1' }, { at: -1 })).toMatchObject({
      stages: ['FETCH', 'IXSCAN'],
      index: 'who_1_at_-1',
      keys: 50,
    });
    expect(await ids({ who: { $in: ['u1', 'v1'] } })).toHaveLength(50 + 40 - 10);
    expect((await access({}, { who: 1 })).stages[0]).toBe('SORT');
    expect((await access({ who: 'u1' }, { who: 1 })).stages[0]).toBe('SORT');
    expect(await ids({ who: { $gt: 'u2', $lt: 'v1' } })).toHaveLength(
      (
        await things
          .find({ who: { $gt: 'u2', $lt: 'v1' } })
          .hint({ $natural: 1 })
          .toArray()
      ).length,
    );
  });

  it('refuse two arrays in one index', async () => {
    await things.createIndex({ a: 1, b: 1 });
    expect((await refusal(things.insertOne({ _id: 'p', a: [1, 2], b: [1, 2] }))).code).toBe(171);
    expect(await things.findOne({ _id: 'p' })).toBeNull();
  });

  it('hold keys longer than LMDB’s and still tell them apart', async () => {
    await things.createIndex({ long: 1 }, { unique: true, name: 'long' }).catch(() => undefined);
    await things.deleteMany({});
    await things.createIndex({ long: 1 }, { unique: true });
    const base = 'k'.repeat(5_000);
    const longId = 'i'.repeat(3_000);
    await fill(
      { _id: `${longId}1`, long: `${base}a` },
      { _id: `${longId}2`, long: `${base}b` },
      { _id: 3, long: 'k' },
    );
    expect((await refusal(things.insertOne({ _id: 4, long: `${base}a` }))).code).toBe(11000);
    expect((await refusal(things.insertOne({ _id: `${longId}1`, long: 1 }))).code).toBe(11000);
    expect(await ids({ long: `${base}b` })).toEqual([`${longId}2`]);
    expect(await ids({ _id: `${longId}1` })).toEqual([`${longId}1`]);
    expect(await ids({ long: { $gt: `${base}a` } })).toEqual([`${longId}2`]);
    expect(await ids({}, { long: -1 })).toEqual([`${longId}2`, `${longId}1`, 3]);
    expect(await ids({}, { _id: 1 })).toEqual([3, `${longId}1`, `${longId}2`]);
  });

  it('are not used before they are filled', async () => {
    const done = new AbortController();
    const counts = new Set<number>();
    const watch = (async (): Promise<void> => {
      while (!done.signal.aborted) counts.add((await ids({ c: 1 })).length);
    })();
    for (let time = 0; time < 20; time++) {
      await things.createIndex({ c: 1 });
      await things.dropIndex('c_1');
    }
    done.abort();
    await watch;
    expect([...counts]).toEqual([40]);
  });

  it('refuse a unique index over what is not unique and leave nothing', async () => {
    expect((await refusal(things.createIndex({ c: 1 }, { unique: true }))).code).toBe(11000);
    expect(await things.indexes()).toHaveLength(1);
  });

  it('are listed, made once and dropped', async () => {
    expect(await things.createIndex({ c: 1, s: -1 }, { unique: true })).toBe('c_1_s_-1');
    await things.createIndex({ c: 1, s: -1 }, { unique: true });
    expect(await things.indexes()).toEqual([
      { v: 2, key: { _id: 1 }, name: '_id_' },
      { v: 2, key: { c: 1, s: -1 }, name: 'c_1_s_-1', unique: true },
    ]);
    expect(
      (await refusal(things.createIndex({ c: 1, s: -1 }, { name: 'other', unique: true }))).code,
    ).toBe(85);
    expect((await refusal(things.createIndex({ at: 1 }, { name: 'c_1_s_-1' }))).code).toBe(86);
    expect((await refusal(things.dropIndex('none'))).code).toBe(27);
    expect((await refusal(things.dropIndex('_id_'))).code).toBe(72);
    await things.dropIndex('c_1_s_-1');
    expect(await access({ c: 1 })).toMatchObject({ stages: ['COLLSCAN'] });
  });

  it('refuse what is not supported', async () => {
    const refuse = async (options: Document): Promise<unknown> =>
      (await refusal(things.createIndex({ c: 1 }, options))).code;
    expect(await refuse({ sparse: true })).toBe(238);
    expect(await refuse({ partialFilterExpression: { c: 1 } })).toBe(238);
    expect(await refuse({ expireAfterSeconds: 5 })).toBe(238);
    expect((await refusal(things.createIndex({ c: 'text' }))).code).toBe(238);
  });
});

describe('aggregating', () => {
  beforeEach(async () => {
    await things.insertMany(
      Array.from({ length: 60 }, (_, n) => ({ _id: n, k: n % 3, n, tags: [`t${n % 2}`, 'all'] })),
    );
  });

  it('groups, unwinds, counts and facets', async () => {
    const grouped = await things
      .aggregate([
        { $match: { n: { $lt: 30 } } },
        { $group: { _id: '$k', sum: { $sum: '$n' }, last: { $max: '$n' } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(grouped).toEqual([
      { _id: 0, sum: 135, last: 27 },
      { _id: 1, sum: 145, last: 28 },
      { _id: 2, sum: 155, last: 29 },
    ]);
    const tags = await things
      .aggregate([
        { $unwind: '$tags' },
        { $group: { _id: '$tags', n: { $sum: 1 } } },
        { $sort: { _id: 1 } },
      ])
      .toArray();
    expect(tags).toEqual([
      { _id: 'all', n: 60 },
      { _id: 't0', n: 30 },
      { _id: 't1', n: 30 },
    ]);
    expect(await things.aggregate([{ $match: { k: 1 } }, { $count: 'many' }]).toArray()).toEqual([
      { many: 20 },
    ]);
    const [facet] = await things
      .aggregate([
        {
          $facet: {
            low: [{ $match: { n: { $lt: 2 } } }, { $project: { n: 1, _id: 0 } }],
            all: [{ $count: 'n' }],
          },
        },
      ])
      .toArray();
    expect(facet).toEqual({ low: [{ n: 0 }, { n: 1 }], all: [{ n: 60 }] });
  });

  it('uses indexes for the leading stages', async () => {
    await things.createIndex({ k: 1, n: 1 });
    const pipeline = [
      { $match: { k: 2 } },
      { $sort: { n: -1 } },
      { $limit: 2 },
      { $project: { n: 1 } },
    ];
    expect(await things.aggregate(pipeline).toArray()).toEqual([
      { _id: 59, n: 59 },
      { _id: 56, n: 56 },
    ]);
    const plan = accessOf(await things.aggregate(pipeline).explain('executionStats'));
    expect(plan).toMatchObject({ index: 'k_1_n_1', keys: 2 });
  });

  it('sorts, skips and limits in the order they stand', async () => {
    const pipeline = [{ $sort: { n: 1 } }, { $skip: 5 }, { $limit: 3 }];
    expect(
      await things
        .aggregate(pipeline)
        .map(({ _id }) => Number(_id))
        .toArray(),
    ).toEqual([5, 6, 7]);
    const other = [{ $sort: { n: 1 } }, { $limit: 5 }, { $skip: 3 }];
    expect(
      await things
        .aggregate(other)
        .map(({ _id }) => Number(_id))
        .toArray(),
    ).toEqual([3, 4]);
  });

  it('refuses unknown stages', async () => {
    expect((await refusal(things.aggregate([{ $out: 'x' }]).toArray())).code).toBe(238);
    expect((await refusal(things.aggregate([{ $lookup: {} }]).toArray())).code).toBe(238);
  });

  it('counts and lists distinct values', async () => {
    expect(await things.countDocuments({ k: 1 })).toBe(20);
    expect(await things.countDocuments({ k: 1 }, { skip: 5, limit: 10 })).toBe(10);
    expect(await things.estimatedDocumentCount()).toBe(60);
    expect(await things.distinct('k', { n: { $gt: 10 } })).toEqual([0, 1, 2]);
    expect(await things.distinct('tags')).toEqual(['all', 't0', 't1']);
    const reply = await client
      .db('test')
      .command({ count: things.collectionName, query: { k: 0 } });
    expect(reply['n']).toBe(20);
  });
});

describe('collections', () => {
  it('are created, listed and dropped', async () => {
    const db = client.db(`shelf${round}`);
    await db.createCollection('a');
    await db.collection('b').insertOne({ x: 1 });
    expect((await refusal(db.createCollection('a'))).code).toBe(48);
    expect((await db.listCollections().toArray()).map(({ name }) => name)).toEqual(['a', 'b']);
    expect((await db.listCollections({ name: 'b' }).toArray()).map(({ name }) => name)).toEqual([
      'b',
    ]);
    const { databases } = await client.db('admin').admin().listDatabases();
    expect(databases.map(({ name }) => name)).toContain(`shelf${round}`);
    expect(await db.stats()).toMatchObject({ collections: 2, objects: 1 });
    expect(await db.command({ collStats: 'b' })).toMatchObject({ count: 1, nindexes: 1 });
    await db.dropCollection('a');
    expect(await db.collections()).toHaveLength(1);
    await db.dropDatabase();
    expect(await db.collections()).toHaveLength(0);
    expect(await db.collection('b').countDocuments()).toBe(0);
    expect((await refusal(db.createCollection('c', { capped: true, size: 1 }))).code).toBe(238);
    expect(
      (
        await refusal(
          db
            .collection('b')
            .insertOne({})
            .then(async () => db.collection('system.x').insertOne({})),
        )
      ).code,
    ).toBe(73);
  });

  it('take another’s name with dropTarget, indexes and all, in one step', async () => {
    const db = client.db('test');
    const [next, current] = [
      db.collection<Any>(`next${round}`),
      db.collection<Any>(`current${round}`),
    ];
    await current.insertMany([{ _id: 'old' }]);
    await next.insertMany([{ _id: 'new', k: 1 }]);
    await next.createIndex({ k: 1 });
    expect((await refusal(next.rename(current.collectionName))).code).toBe(48);
    const done = new AbortController();
    const seen = new Set<string>();
    const watch = (async (): Promise<void> => {
      while (!done.signal.aborted) {
        seen.add((await current.find({}).toArray()).map(({ _id }) => String(_id)).join());
      }
    })();
    await next.rename(current.collectionName, { dropTarget: true });
    done.abort();
    await watch;
    seen.add((await current.find({}).toArray()).map(({ _id }) => String(_id)).join());
    expect([...seen].filter((set) => set !== 'old')).toEqual(['new']);
    expect((await current.indexes()).map(({ name }) => name)).toEqual(['_id_', 'k_1']);
    expect(await next.countDocuments()).toBe(0);
    expect((await refusal(next.rename('elsewhere'))).code).toBe(26);
  });
});

function message(body: number[]): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(16 + body.length, 0);
  head.writeInt32LE(2013, 12);
  return Buffer.concat([head, Buffer.from(body)]);
}

describe('a client that sends rubbish', () => {
  const frames: [string, Buffer][] = [
    ['noise', Buffer.alloc(64, 0xab)],
    ['a length below the header', Buffer.from([8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0])],
    ['a huge length', Buffer.from([0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0])],
    ['a document that lies about its length', message([0, 0, 0, 0, 0, 200, 0, 0, 0, 16, 97, 0])],
    ['an unknown section', message([0, 0, 0, 0, 7, 5, 0, 0, 0, 0])],
    ['a wrong checksum', message([1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 1, 2, 3, 4])],
    ['flags nobody knows', message([0x40, 0, 0, 0, 0, 5, 0, 0, 0, 0])],
  ];
  it.each(frames)('loses its own connection only: %s', async (_name, bytes) => {
    await fill({ _id: 1 });
    const socket = connect(store.port, '127.0.0.1');
    const closed = new Promise((resolve) => {
      socket.on('close', resolve);
    });
    socket.on('error', () => undefined);
    socket.write(bytes);
    await closed;
    expect(await ids({})).toEqual([1]);
  });
});
