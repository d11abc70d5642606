import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Codec, MongoOperations, PROJECTIONS, type LogEvent, type NewEvent } from '#platform';
import { append, chatterOf, until } from '#testing';
import { LiveProjection } from '../../apps/projector/src/projection.js';
import { parkedOf, replay } from '../../tools/parked/parked.js';
import { mend } from '../../tools/rebuild/mend.js';
import { rebuild } from '../../tools/rebuild/rebuild.js';
import { digestsOf, openStores, projectAll, type Stores } from './stores.js';

const SEED = 11;
const NAMES = PROJECTIONS.map(({ name }) => name);
const onProgress = () => {};

const emptied = async ({ mongo }: Stores): Promise<void> => {
  await mongo.db('views').dropDatabase();
  await mongo.db('operations').dropDatabase();
};

describe(`rebuilt read models (seed ${SEED})`, () => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await openStores();
    const { store, codec } = stores.ports;
    await append(store, codec, chatterOf({ seed: SEED, events: 1_200 }));
  });
  afterAll(() => stores.end());

  it('[V13] equal live ones byte for byte, whatever the batches of either', async () => {
    const seen: unknown[] = [];
    for (const batchMax of [13, 500]) {
      await emptied(stores);
      await projectAll(stores, batchMax);
      const live = await digestsOf(stores);
      const { views, events } = await rebuild(stores.ports, {
        compare: true,
        batchMax: batchMax * 3,
        onProgress,
      });
      expect(events).toBeGreaterThan(1_000);
      expect(views.map(({ view }) => view)).toEqual(NAMES);
      for (const { view, before, after } of views) {
        expect(before?.sha256).toBe(live[view]);
        expect(after).toEqual(before);
      }
      expect(await digestsOf(stores)).toEqual(live);
      seen.push(live);
    }
    expect(seen[0]).toEqual(seen[1]);
  });

  it('put right what was wrong, and say that it was', async () => {
    const live = await digestsOf(stores);
    const history = stores.mongo.db('views').collection('history');
    await history.updateOne({ type: 'message.sent' }, { $set: { at: 'never' } });
    const { views } = await rebuild(stores.ports, {
      names: ['history'],
      compare: true,
      onProgress,
    });
    expect(views).toHaveLength(1);
    expect(views[0]?.before?.sha256).not.toBe(live['history']);
    expect(views[0]?.after?.sha256).toBe(live['history']);
    expect(await digestsOf(stores)).toEqual(live);
    const collections = await stores.mongo.db('views').listCollections().toArray();
    expect(collections.filter(({ name }) => name.includes('next'))).toEqual([]);
  });

  it('begin again where a rebuild was interrupted', async () => {
    const live = await digestsOf(stores);
    const { writer, views } = stores.ports;
    const next = views.next();
    for (const projection of PROJECTIONS) await next.prepare(projection);
    await next.write('history', [{ _id: 'leftover', position: 5 }], new Set(['leftover']));
    await rebuild(stores.ports, { compare: false, onProgress });
    expect(await writer.load('history', ['leftover'])).toEqual([]);
    expect(await digestsOf(stores)).toEqual(live);
  });

  it('[Z5] are built by one at a time; who was killed leaves the place to the next', async () => {
    const { ports } = stores;
    const live = await digestsOf(stores);
    const next = ports.views.next();
    for (const projection of PROJECTIONS) await next.prepare(projection);
    await next.write('history', [{ _id: 'leftover', position: 5 }], new Set(['leftover']));
    await ports.views.hold(['history.next'], 'another');
    const stop = ports.timer.every(100, () => void ports.views.renew(['history.next'], 'another'));
    await expect(rebuild(ports, { compare: true, onProgress })).rejects.toThrow(
      'Another rebuild builds history',
    );
    expect((await next.load('history', ['leftover'])).length).toBe(1);
    // Killed: it gives no sign of life any more.
    stop();
    const { views } = await rebuild(ports, { compare: true, onProgress });
    for (const { before, after } of views) expect(after).toEqual(before);
    expect(await digestsOf(stores)).toEqual(live);
  }, 30_000);

  it('[V23] begin again when somebody is erased while they are built', async () => {
    const { ports, said } = stores;
    const data = { v: 1, userId: '00000000-0000-4000-8000-00000000000e' };
    const ordered = { id: data.userId, type: 'ErasureOrdered', data, metadata: {} };
    let isOrdered = false;
    const order = () => {
      if (isOrdered) return;
      isOrdered = true;
      void ports.store.append('erasures', 'any', [ordered]);
    };
    const { views } = await rebuild(ports, { compare: true, onProgress: order });
    for (const { before, after } of views) expect(after).toEqual(before);
    expect(said.some((message) => message.includes('erased meanwhile'))).toBe(true);
  }, 30_000);

  it('take the place of live ones while people go on talking, and lose nothing', async () => {
    const { ports } = stores;
    const projection = new LiveProjection(ports);
    const { finished } = await projection.start();
    const failures: unknown[] = [];
    finished.catch((error: unknown) => failures.push(error));
    const silence = new AbortController();
    const talking = (async () => {
      for (let seed = 100; !silence.signal.aborted; seed += 1)
        await append(ports.store, ports.codec, chatterOf({ seed, events: 150 }));
    })();
    const first = await rebuild(ports, { compare: true, onProgress });
    const second = await rebuild(ports, {
      names: ['history', 'receipts'],
      compare: true,
      onProgress,
    });
    silence.abort();
    await talking;
    for (const { before, after } of [...first.views, ...second.views])
      expect(after).toEqual(before);
    await until(async () =>
      Object.values(await projection.lag()).every(({ lagMs }) => lagMs === 0),
    );
    await projection.stop();
    expect(failures).toEqual([]);
    const live = await digestsOf(stores);
    const generations = await ports.writer.checkpoints();
    expect(generations.get('history')?.hold).toBeUndefined();
    await emptied(stores);
    await projectAll(stores, 2_000);
    expect(await digestsOf(stores)).toEqual(live);
  });

  it('stand in for those of a log that was restored from a backup', async () => {
    await emptied(stores);
    await projectAll(stores);
    const live = await digestsOf(stores);
    const gone = { position: 2 ** 40, eventId: 'lost', scanned: 2 ** 40 };
    await stores.ports.writer.save(new Map(NAMES.map((name) => [name, 0])), gone);
    const projection = new LiveProjection(stores.ports);
    await expect(projection.start()).rejects.toThrow('npm run rebuild');
    await projection.stop();
    const { views } = await rebuild(stores.ports, { compare: true, onProgress });
    expect(views.every(({ before }) => before === undefined)).toBe(true);
    await projectAll(stores);
    expect(await digestsOf(stores)).toEqual(live);
  });
});

describe('a parked stream', () => {
  let stores: Stores;
  beforeAll(async () => {
    stores = await openStores();
  });
  afterAll(() => stores.end());

  it('[D16] [V16] goes on once its events can be read, as if it had never waited', async () => {
    const { ports, said } = stores;
    const { store, codec } = ports;
    const first = [...chatterOf({ seed: SEED, events: 300 })];
    const later = [...chatterOf({ seed: SEED, events: 600 })].slice(first.length);
    await append(store, codec, first);
    const stream = first.find((one) => one.stream.startsWith('conversation-'))?.stream ?? '';
    const id = '00000000-0000-4000-8000-000000000001';
    const poison: NewEvent = { id, type: 'FromTheFuture', data: { v: 1 }, metadata: {} };
    await store.append(stream, 'any', [poison]);
    await append(store, codec, later);
    await projectAll(stores);
    const parked = await ports.writer.parked('receipts');
    expect(parked).toEqual([expect.objectContaining({ stream, type: 'FromTheFuture' })]);
    expect(parked[0]?.waiting).toBeGreaterThan(0);
    expect(said.some((message) => message.startsWith('PARKED'))).toBe(true);
    await expect(mend(ports, stream, { onProgress })).rejects.toThrow('FromTheFuture');

    // A later version of the program reads it.
    const by = '00000000-0000-4000-8000-000000000002';
    const conversationId = stream.slice('conversation-'.length);
    const at = '2026-02-01T00:00:00.000Z';
    const renamed = { conversationId, by, at, origin: { command: id }, name: 'Understood' };
    const caused = { correlationId: id, causationId: id };
    const understood = new (class extends Codec {
      override encode = codec.encode.bind(codec);

      override decode(event: LogEvent, opened: boolean) {
        if (event.type !== 'FromTheFuture') return codec.decode(event, opened);
        return { ...event, ...caused, type: 'ConversationRenamed', data: renamed } as const;
      }
    })();
    const newer = { ...ports, codec: understood };
    const operations = new MongoOperations(stores.mongo);
    const row = { ...parked[0], view: 'realtime' };
    await operations.put('parked', `realtime:${stream}`, row);
    const { folded, realtime } = await replay({ ...newer, operations }, stream, onProgress);
    expect(realtime).toBe(true);
    expect(await parkedOf({ ...newer, operations })).toEqual([]);
    // Not every conversation has links, threads or people at its door; the digests are of all views.
    for (const view of ['conversations', 'history', 'members', 'receipts'])
      expect(folded[view]).toBeGreaterThan(0);
    expect(Object.keys(folded).length).toBeGreaterThan(8);
    const mended = await digestsOf(stores);
    expect(await ports.writer.parked('receipts')).toEqual([]);
    await emptied(stores);
    await projectAll({ ...stores, ports: newer });
    expect(await digestsOf(stores)).toEqual(mended);
  });
});
