import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { EventStoreDb, LogUnavailable, type NewEvent } from '#platform';
import { until, wireTo, type Wire } from '#testing';
import {
  startEventStore,
  type RunningEventStore,
} from '../../../embedded/event-store/src/index.js';

let dataDir: string;
let server: RunningEventStore;
let wire: Wire;
let store: EventStoreDb;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'scripta-log-'));
  server = await startEventStore({ dataDir });
});
afterAll(async () => {
  await server.close();
  await rm(dataDir, { recursive: true });
});
beforeEach(async () => {
  wire = await wireTo(server.port);
  store = new EventStoreDb(`esdb://127.0.0.1:${wire.port}?tls=false`);
});
afterEach(async () => {
  wire.restore();
  await store.close();
  await wire.close();
});

const said = (text = 'said'): NewEvent => ({
  id: randomUUID(),
  type: 'Said',
  data: { text },
  metadata: {},
});

it('settles every append of a connection that breaks under load, and works on the next', async () => {
  const stray: unknown[] = [];
  const catchStray = (error: unknown): void => {
    stray.push(error);
  };
  process.on('unhandledRejection', catchStray);
  const stream = `load-${randomUUID()}`;
  const events = Array.from({ length: 600 }, () => said('x'.repeat(20_000)));
  await store.append(stream, -1, [said()]);
  const appends = events.map((event) => store.append(stream, 'any', [event]));
  await Promise.race(appends);
  wire.cut();
  const ended = await Promise.allSettled(appends);
  await until(async () => {
    await store.append(stream, 'any', [said('again')]).catch(() => undefined);
    return (await store.last(stream))?.data['text'] === 'again';
  });
  process.off('unhandledRejection', catchStray);
  const lost = ended.filter((end) => end.status === 'rejected');
  expect(lost.length).toBeGreaterThan(0);
  for (const { reason } of lost) expect(reason).toBeInstanceOf(LogUnavailable);
  const stored = new Set((await store.read(stream, 0)).map(({ id }) => id));
  const acknowledged = events.filter((_, at) => ended[at]?.status === 'fulfilled');
  expect(acknowledged.filter(({ id }) => !stored.has(id))).toEqual([]);
  expect(stray).toEqual([]);
});

it('gives an append up that a silent log does not answer, and a repeat resolves it', async () => {
  const stream = `silent-${randomUUID()}`;
  await store.append(stream, -1, [said()]);
  const event = said();
  wire.silence();
  await expect(store.append(stream, 0, [event])).rejects.toThrow(LogUnavailable);
  wire.restore();
  const { revision } = await store.append(stream, 0, [event]);
  expect(revision).toBe(1);
  expect(await store.read(stream, 0)).toHaveLength(2);
});

it('says that the log is away to everyone who asks while it is', async () => {
  const away = new EventStoreDb('esdb://127.0.0.1:1?tls=false');
  const asked = [
    away.append('s-1', 'any', [said()]),
    away.read('s-1', 0),
    away.last('s-1'),
    away.at(0),
    away.head(['s-']),
    away.readAll(['s-'], undefined, 1),
    away.subscribe(['s-'], undefined, { event: () => undefined, dropped: () => undefined }),
  ];
  for (const asking of asked) await expect(asking).rejects.toThrow(LogUnavailable);
  await away.close();
});

it('refuses an event over the limit of one append as a fault of the writer', async () => {
  const append = store.append(`large-${randomUUID()}`, -1, [said('x'.repeat(1_100_000))]);
  await expect(append).rejects.toThrow(/cannot be appended/u);
  await expect(append).rejects.not.toBeInstanceOf(LogUnavailable);
});

it('drops a subscription once when its connection breaks', async () => {
  const prefix = `dropped${randomUUID()}-`;
  const drops: Error[] = [];
  const heard: string[] = [];
  await store.append(`${prefix}1`, -1, [said()]);
  const subscription = await store.subscribe([prefix], undefined, {
    event: ({ id }) => {
      heard.push(id);
    },
    dropped: (error) => drops.push(error),
  });
  await until(() => heard.length === 1);
  wire.cut();
  await until(() => drops.length > 0);
  await subscription.close();
  expect(drops).toHaveLength(1);
  expect(drops[0]).toBeInstanceOf(LogUnavailable);
});
