import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HandTime, until, wireTo } from '#testing';
import { startEventStore } from '../../../embedded/event-store/src/index.js';
import { SystemClock, SystemRandom, SystemTimer } from './clock.js';
import { EventStoreDb } from './eventstoredb.js';
import type { EventStore, LogEvent, NewEvent, Subscriber, Subscription } from './event-store.js';
import { MemoryEventStore } from './memory-event-store.js';
import { RestoredLog, SubscriptionRunner, type Run } from './subscription.js';

const PREFIX = 'conversation-';

const said = (): NewEvent => ({ id: randomUUID(), type: 'Said', data: {}, metadata: {} });
const many = (count: number): NewEvent[] => Array.from({ length: count }, said);

const ports = (store: EventStore) => ({
  store,
  clock: new SystemClock(),
  random: new SystemRandom(),
  timer: new SystemTimer(),
});

/** A consumer that keeps what it was told and checks that calls never overlap. */
const keeping = (inBatch: (events: readonly LogEvent[]) => Promise<void> = async () => {}) => {
  const events: LogEvent[] = [];
  const batches: number[] = [];
  const scans: number[] = [];
  let caughtUp = 0;
  let inside = 0;
  return {
    events,
    batches,
    scans,
    caughtUps: () => caughtUp,
    ids: () => events.map(({ id }) => id),
    consumer: {
      batch: async (batch: readonly LogEvent[], scannedTo: number) => {
        inside += 1;
        expect(inside).toBe(1);
        await inBatch(batch);
        events.push(...batch);
        batches.push(batch.length);
        scans.push(scannedTo);
        expect(scannedTo).toBeGreaterThanOrEqual(batch.at(-1)?.position ?? -1);
        inside -= 1;
      },
      caughtUp: () => {
        caughtUp += 1;
      },
    },
  };
};

describe('a consumer of the log', () => {
  it('is told what stood there, that it has caught up, and what comes after', async () => {
    const store = new MemoryEventStore();
    const past = many(3);
    await store.append(`${PREFIX}1`, -1, past);
    await store.append('user-1', -1, many(2));
    const kept = keeping();
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
    await until(() => kept.caughtUps() === 1);
    expect(kept.ids()).toEqual(past.map(({ id }) => id));
    const fresh = many(2);
    await store.append(`${PREFIX}2`, -1, fresh);
    await until(() => kept.events.length === 5);
    await run.stop();
    expect(kept.ids().slice(3)).toEqual(fresh.map(({ id }) => id));
    await expect(run.finished).resolves.toBeUndefined();
  });

  it('gets in one batch what gathered while it was busy, and the log waits when that is much', async () => {
    const store = new MemoryEventStore();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const kept = keeping(() => held);
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({
      prefixes: [PREFIX],
      from: undefined,
      consumer: kept.consumer,
      batchMax: 10,
    });
    const events = many(200);
    for (const event of events) await store.append(`${PREFIX}1`, 'any', [event]);
    release();
    await until(() => kept.events.length === 200);
    await run.stop();
    expect(kept.ids()).toEqual(events.map(({ id }) => id));
    expect(Math.max(...kept.batches)).toBe(10);
  });

  it('hears how far the log was scanned where nothing was for it', async () => {
    const store = new MemoryEventStore();
    const kept = keeping();
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
    const { position } = await store.append('user-1', -1, many(64));
    await until(() => kept.scans.at(-1) === position);
    await run.stop();
    expect(kept.events).toEqual([]);
    expect(kept.scans).toEqual(kept.scans.toSorted((a, b) => a - b));
  });

  it('begins after its checkpoint, and refuses one that the log does not know', async () => {
    const store = new MemoryEventStore();
    const events = many(3);
    await store.append(`${PREFIX}1`, -1, events);
    const [first, second] = await store.read(`${PREFIX}1`, 0);
    const from = { position: second?.position ?? 0, eventId: second?.id ?? '' };
    const kept = keeping();
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({ prefixes: [PREFIX], from, consumer: kept.consumer });
    await until(() => kept.events.length === 1);
    await run.stop();
    expect(kept.ids()).toEqual([events[2]?.id]);
    for (const wrong of [
      { ...from, eventId: first?.id ?? '' },
      { ...from, position: from.position + 1 },
      { ...from, position: 1_000_000 },
    ]) {
      const running = runner.run({ prefixes: [PREFIX], from: wrong, consumer: kept.consumer });
      await expect(running).rejects.toThrow(RestoredLog);
    }
  });

  it('ends, and says so, when it fails', async () => {
    const store = new MemoryEventStore();
    const kept = keeping(() => Promise.reject(new Error('The consumer is broken.')));
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
    await store.append(`${PREFIX}1`, -1, many(3));
    await expect(run.finished).rejects.toThrow(/consumer is broken/u);
    await run.stop();
  });

  it('finishes the batch in hand when it is stopped, and is told nothing after', async () => {
    const store = new MemoryEventStore();
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    let isInside = false;
    const kept = keeping(() => {
      isInside = true;
      return held;
    });
    const runner = new SubscriptionRunner(ports(store));
    const run = await runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
    await store.append(`${PREFIX}1`, -1, many(1));
    await until(() => isInside);
    const stopping = run.stop();
    await store.append(`${PREFIX}1`, 0, many(5));
    release();
    await stopping;
    expect(kept.batches).toEqual([1]);
  });
});

/** A log whose subscriptions a test may let fail, hang or fall silent. */
class Fickle extends MemoryEventStore {
  subscriptions = 0;
  closed = 0;
  /** Subscriptions to come that are refused, that never answer, and that never say a word. */
  refusals = 0;
  hangs = 0;
  silences = 0;
  isHeadHanging = false;

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    this.subscriptions += 1;
    if (this.refusals > 0) {
      this.refusals -= 1;
      throw new Error('Not now.');
    }
    if (this.hangs > 0) {
      this.hangs -= 1;
      return new Promise(() => {});
    }
    const close = () => {
      this.closed += 1;
      return Promise.resolve();
    };
    if (this.silences > 0) {
      this.silences -= 1;
      return { close };
    }
    const subscription = await super.subscribe(prefixes, after, subscriber);
    return { close: () => close().then(() => subscription.close()) };
  }

  override head(prefixes: readonly string[]) {
    return this.isHeadHanging ? new Promise<never>(() => {}) : super.head(prefixes);
  }
}

const fickleRun = async (store: Fickle) => {
  const time = new HandTime();
  const kept = keeping();
  const runner = new SubscriptionRunner({
    store,
    clock: time.clock,
    random: new SystemRandom(),
    timer: time,
  });
  const running = runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
  await new Promise((resolve) => setImmediate(resolve));
  return { time, kept, running };
};

const expectAllAfter = async (store: Fickle, ms: number): Promise<void> => {
  const events = many(5);
  await store.append(`${PREFIX}1`, -1, events);
  const { time, kept, running } = await fickleRun(store);
  await time.pass(ms);
  await until(() => kept.events.length === 5);
  const more = many(3);
  await store.append(`${PREFIX}1`, 4, more);
  await until(() => kept.events.length === 8);
  await (await running).stop();
  expect(kept.ids()).toEqual([...events, ...more].map(({ id }) => id));
};

describe('a subscription', () => {
  it('is tried again while the log refuses it, with pauses that grow to 5 s', async () => {
    const store = new Fickle();
    store.refusals = 12;
    await expectAllAfter(store, 60_000);
    // Full jitter: 12 pauses of at most 100, 200, 400 ... 5,000 ms.
    expect(store.subscriptions).toBe(13);
  });

  it('is made anew when the log never answers it', async () => {
    const store = new Fickle();
    store.hangs = 1;
    await expectAllAfter(store, 60_000);
    expect(store.subscriptions).toBe(2);
  });

  it('is made anew when it stays silent though the log went on', async () => {
    const store = new Fickle();
    store.silences = 1;
    await expectAllAfter(store, 60_000);
    expect([store.subscriptions, store.closed]).toEqual([2, 2]);
  });

  it('is made anew when the log does not even say where it stands', async () => {
    const store = new Fickle();
    store.silences = 1;
    store.isHeadHanging = true;
    await expectAllAfter(store, 70_000);
    expect(store.subscriptions).toBe(2);
  });

  it('is left alone while the log has nothing for it', async () => {
    const store = new Fickle();
    const { time, kept, running } = await fickleRun(store);
    await store.append('user-1', -1, many(1));
    await time.pass(3_600_000);
    await (await running).stop();
    expect([store.subscriptions, kept.events.length]).toEqual([1, 0]);
  });

  it('is left alone while the consumer is busy', async () => {
    const store = new Fickle();
    await store.append(`${PREFIX}1`, -1, many(1));
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const time = new HandTime();
    const kept = keeping(() => held);
    const runner = new SubscriptionRunner({ ...ports(store), clock: time.clock, timer: time });
    const run = await runner.run({ prefixes: [PREFIX], from: undefined, consumer: kept.consumer });
    await time.pass(300_000);
    expect(store.subscriptions).toBe(1);
    release();
    await run.stop();
  });

  it('is not made again after a stop', async () => {
    const store = new Fickle();
    store.refusals = 100;
    const { time, running } = await fickleRun(store);
    await (await running).stop();
    const tried = store.subscriptions;
    await time.pass(600_000);
    expect(store.subscriptions).toBe(tried);
  });
});

describe('a consumer behind a bad wire to EventStoreDB', () => {
  it('is told everything once and in order, through cuts [V4] [V5]', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'scripta-log-'));
    const server = await startEventStore({ dataDir });
    const wire = await wireTo(server.port);
    const writing = new EventStoreDb(`esdb://127.0.0.1:${server.port}?tls=false`);
    const reading = new EventStoreDb(`esdb://127.0.0.1:${wire.port}?tls=false`);
    const kept = keeping();
    const drops: string[] = [];
    const log = (message: string): void => {
      drops.push(message);
    };
    const runner = new SubscriptionRunner({ ...ports(reading), log });
    const run: Run = await runner.run({
      prefixes: [PREFIX],
      from: undefined,
      consumer: kept.consumer,
      batchMax: 50,
    });
    const events = many(2_000);
    for (let at = 0; at < events.length; at += 1) {
      const event = events[at];
      if (event) await writing.append(`${PREFIX}${at % 7}`, 'any', [event]);
      if (at % 250 === 125) wire.cut();
    }
    await until(() => kept.events.length >= events.length);
    await run.stop();
    expect(kept.ids()).toEqual(events.map(({ id }) => id));
    expect(drops.length).toBeGreaterThan(0);
    await reading.close();
    await writing.close();
    await wire.close();
    await server.close();
    await rm(dataDir, { recursive: true });
  });
});
