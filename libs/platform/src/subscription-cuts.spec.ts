import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  LogUnavailable,
  MemoryEventStore,
  RestoredLog,
  SubscriptionRunner,
  SystemRandom,
  Timer,
  type Cancel,
  type Consumer,
  type LogEvent,
  type NewEvent,
  type Subscriber,
  type Subscription,
} from '#platform';
import { SteppedClock, until } from '#testing';

const PREFIXES = ['ours-'];

const many = (count: number): NewEvent[] =>
  Array.from({ length: count }, () => ({
    id: randomUUID(),
    type: 'Said',
    data: {},
    metadata: {},
  }));

/** Waiting takes no time; what repeats is called by hand. */
class ImmediateTimer extends Timer {
  readonly #repeated = new Set<() => void>();

  tick(): void {
    for (const call of this.#repeated) call();
  }

  override after(_ms: number, call: () => void): Cancel {
    const waiting = setImmediate(call);
    return () => clearImmediate(waiting);
  }

  override every(_ms: number, call: () => void): Cancel {
    this.#repeated.add(call);
    return () => this.#repeated.delete(call);
  }
}

/** A log whose connection can be cut, lost without a word, refused, or spoken through by hand. */
class CuttableStore extends MemoryEventStore {
  /** Called before and after each word to a subscriber. */
  atPoint: () => void = () => undefined;
  isSilent = false;
  refusals = 0;
  subscribed = 0;
  open = 0;
  subscriber: Subscriber | undefined;
  readonly afters: (number | undefined)[] = [];

  /** The subscriber hears that the connection is gone, while the log goes on speaking to it. */
  cut(): void {
    this.subscriber?.dropped(new LogUnavailable('The connection was cut.'));
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    if (this.refusals > 0) {
      this.refusals -= 1;
      throw new LogUnavailable('The log is away.');
    }
    this.subscribed += 1;
    this.open += 1;
    this.subscriber = subscriber;
    this.afters.push(after);
    this.isSilent = false;
    const number = this.subscribed;
    const speak = async (word: () => void | Promise<void> | undefined): Promise<void> => {
      if (this.isSilent && number === this.subscribed) return;
      this.atPoint();
      await word();
      this.atPoint();
    };
    const running = await super.subscribe(prefixes, after, {
      event: (event) => speak(() => subscriber.event(event)),
      checkpoint: (position) => speak(() => subscriber.checkpoint?.(position)),
      caughtUp: () => speak(() => subscriber.caughtUp?.()),
      dropped: subscriber.dropped,
    });
    return {
      close: () => {
        this.open -= 1;
        return running.close();
      },
    };
  }
}

const running = () => {
  const store = new CuttableStore();
  const clock = new SteppedClock();
  const timer = new ImmediateTimer();
  const runner = new SubscriptionRunner({ store, clock, random: new SystemRandom(), timer });
  return { store, clock, timer, runner };
};

/** Takes batches, and fails if two overlap. */
const taking = (handle: (events: readonly LogEvent[]) => unknown = () => undefined) => {
  const batches: (readonly LogEvent[])[] = [];
  const scanned: number[] = [];
  let isInside = false;
  const taker = {
    batches,
    scanned,
    caughtUp: 0,
    positions: () => batches.flat().map(({ position }) => position),
    consumer: {
      batch: async (events, scannedTo) => {
        expect(isInside).toBe(false);
        isInside = true;
        batches.push(events);
        scanned.push(scannedTo);
        await handle(events);
        isInside = false;
      },
      caughtUp: () => {
        taker.caughtUp += 1;
      },
    } satisfies Consumer,
  };
  return taker;
};

const positionsIn = async (store: MemoryEventStore): Promise<number[]> =>
  (await store.readAll(PREFIXES, undefined, 100_000)).map(({ position }) => position);

const expectWholeThroughCutAt = async (point: number): Promise<void> => {
  const { store, runner } = running();
  const taker = taking(() => turn());
  let points = 0;
  store.atPoint = () => {
    if (points === point) store.cut();
    points += 1;
  };
  await store.append('ours-1', -1, many(10));
  await store.append('others-1', -1, many(70));
  const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
  for (let round = 0; round < 5; round += 1) {
    await store.append('ours-1', 'any', many(2));
    await turn();
  }
  const expected = await positionsIn(store);
  await until(() => taker.positions().length >= expected.length);
  await run.stop();
  await run.finished;
  expect(taker.positions()).toEqual(expected);
  expect(store.subscribed).toBe(2);
  expect(store.open).toBe(0);
};

describe('A subscription that is cut', () => {
  it('goes on from its own place, without a gap or a repeat, wherever the cut falls', async () => {
    // 20 events, 2 checkpoints and one word of having caught up, before and after each.
    for (let point = 0; point < 44; point += 1) await expectWholeThroughCutAt(point);
  });

  it('delivers the whole log in order through any mixture of cuts, waits and appends', async () => {
    const act = fc.constantFrom('append', 'append', 'others', 'cut', 'refuse', 'turn');
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 60 }), fc.nat(5), async (acts, slowness) => {
        const { store, runner } = running();
        const taker = taking(async (events) => {
          for (let at = 0; at < Math.min(slowness, events.length); at += 1) await turn();
        });
        const { consumer } = taker;
        const following = { prefixes: PREFIXES, from: undefined, consumer, batchMax: 4 };
        const run = await runner.run(following);
        for (const next of acts) {
          if (next === 'append') await store.append('ours-1', 'any', many(3));
          if (next === 'others') await store.append('others-1', 'any', many(40));
          if (next === 'refuse') store.refusals += 1;
          if (next === 'cut' || next === 'refuse') store.cut();
          if (next === 'turn') await turn();
        }
        const expected = await positionsIn(store);
        await until(() => taker.positions().length >= expected.length);
        await run.stop();
        expect(taker.positions()).toEqual(expected);
        for (const batch of taker.batches) expect(batch.length).toBeLessThanOrEqual(4);
      }),
      { numRuns: 60 },
    );
  });

  it('tries again for as long as the log is away', async () => {
    const { store, runner } = running();
    const taker = taking();
    store.refusals = 20;
    await store.append('ours-1', -1, many(3));
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await until(() => taker.positions().length === 3);
    await run.stop();
    expect(store.afters).toEqual([undefined]);
  });

  it('is begun anew when nothing comes for 30 s though the log went on', async () => {
    const { store, runner, clock, timer } = running();
    const taker = taking();
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await until(() => taker.caughtUp === 1);
    store.isSilent = true;
    await store.append('ours-1', -1, many(3));
    timer.tick();
    await turn();
    expect(store.subscribed).toBe(1);
    clock.pass(31_000);
    timer.tick();
    await until(() => taker.positions().length === 3);
    await run.stop();
    expect(taker.positions()).toEqual(await positionsIn(store));
  });

  it('is left alone in a silence in which nothing was appended', async () => {
    const { store, runner, clock, timer } = running();
    const taker = taking();
    await store.append('ours-1', -1, many(3));
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await until(() => taker.caughtUp === 1);
    await store.append('others-1', -1, many(3));
    for (let silence = 0; silence < 4; silence += 1) {
      clock.pass(31_000);
      timer.tick();
      await turn();
    }
    await run.stop();
    expect(store.subscribed).toBe(1);
  });
});

describe('Batches', () => {
  it('hold whatever gathered while the one before was handled', async () => {
    const { store, runner } = running();
    const gate = Promise.withResolvers<void>();
    const taker = taking(() => gate.promise);
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await store.append('ours-1', -1, many(1));
    await until(() => taker.batches.length === 1);
    for (let at = 0; at < 7; at += 1) await store.append('ours-1', 'any', many(1));
    await turn();
    gate.resolve();
    await until(() => taker.positions().length === 8);
    await run.stop();
    expect(taker.batches.map(({ length }) => length)).toEqual([1, 7]);
  });

  it('make the log wait once a whole one is waiting', async () => {
    const { store, runner } = running();
    const gate = Promise.withResolvers<void>();
    const taker = taking(() => gate.promise);
    await store.append('ours-1', -1, many(100));
    const { consumer } = taker;
    let told = 0;
    store.atPoint = () => (told += 1);
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer, batchMax: 5 });
    for (let at = 0; at < 20; at += 1) await turn();
    expect(taker.batches).toHaveLength(1);
    expect(told).toBeLessThanOrEqual(2 * 10);
    gate.resolve();
    await until(() => taker.positions().length === 100);
    await run.stop();
    expect(taker.positions()).toEqual(await positionsIn(store));
  });

  it('are handed over however the last event falls beside the end of the one before', async () => {
    for (let ticks = 0; ticks < 12; ticks += 1) {
      const { store, runner } = running();
      const gate = Promise.withResolvers<void>();
      const taker = taking(() => gate.promise);
      const { consumer } = taker;
      await store.append('others-1', -1, many(1));
      const [event] = await store.readAll(['others-'], undefined, 1);
      const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer });
      await until(() => taker.caughtUp === 1);
      if (!event) throw new Error('The log lost an event.');
      void store.subscriber?.event({ ...event, position: 1_000 });
      await until(() => taker.batches.length === 1);
      gate.resolve();
      for (let tick = 0; tick < ticks; tick += 1) await Promise.resolve();
      void store.subscriber?.event({ ...event, position: 2_000 });
      await turn();
      await turn();
      expect(taker.positions(), `${ticks} ticks later`).toEqual([1_000, 2_000]);
      await run.stop();
    }
  });

  it('need not run dry for the consumer to hear that it has caught up', async () => {
    const { store, runner } = running();
    const taker = taking(async () => {
      await store.append('ours-1', 'any', many(1));
      await turn();
    });
    await store.append('ours-1', -1, many(3));
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await until(() => taker.caughtUp === 1);
    await run.stop();
    expect(taker.positions().length).toBeGreaterThanOrEqual(3);
  });

  it('may be empty, saying how far the log was scanned in vain', async () => {
    const { store, runner } = running();
    const taker = taking();
    const { position } = await store.append('others-1', -1, many(64));
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await until(() => taker.scanned.at(-1) === position);
    await run.stop();
    expect(taker.positions()).toEqual([]);
  });
});

describe('The end of a run', () => {
  it('is loud when the consumer fails, and leaves no subscription behind', async () => {
    const { store, runner } = running();
    const broken = taking(() => Promise.reject(new Error('The database is full.')));
    await store.append('ours-1', -1, many(3));
    const { consumer } = broken;
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer });
    await expect(run.finished).rejects.toThrow('The database is full.');
    await until(() => store.open === 0);
    await store.append('ours-1', 'any', many(3));
    await turn();
    expect(broken.batches).toHaveLength(1);
    await run.stop();
  });

  it('waits for the batch in hand, and begins no other', async () => {
    const { store, runner } = running();
    const gate = Promise.withResolvers<void>();
    const taker = taking(() => gate.promise);
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer: taker.consumer });
    await store.append('ours-1', -1, many(1));
    await until(() => taker.batches.length === 1);
    await store.append('ours-1', 0, many(1));
    let isStopped = false;
    const stopped = run.stop().finally(() => {
      isStopped = true;
    });
    await turn();
    expect(isStopped).toBe(false);
    gate.resolve();
    await stopped;
    expect(taker.batches).toHaveLength(1);
    expect(store.open).toBe(0);
  });

  it('comes at once while the log is away', async () => {
    const { store, runner } = running();
    store.refusals = Number.MAX_SAFE_INTEGER;
    const { consumer } = taking();
    const run = await runner.run({ prefixes: PREFIXES, from: undefined, consumer });
    await run.stop();
    await run.finished;
    expect(store.subscribed).toBe(0);
  });
});

describe('A checkpoint', () => {
  it('is begun after', async () => {
    const { store, runner } = running();
    const taker = taking();
    await store.append('ours-1', -1, many(5));
    const [, second, ...rest] = await store.readAll(PREFIXES, undefined, 10);
    if (!second) throw new Error('The log lost an event.');
    const from = { position: second.position, eventId: second.id };
    const run = await runner.run({ prefixes: PREFIXES, from, consumer: taker.consumer });
    await until(() => taker.caughtUp === 1);
    await run.stop();
    expect(taker.batches.flat()).toEqual(rest);
  });

  it('is refused where the log has another event, or none: it was restored', async () => {
    const { store, runner } = running();
    const { consumer } = taking();
    const { position } = await store.append('ours-1', -1, many(1));
    const eventId = randomUUID();
    for (const at of [position, position + 1, position + 100_000]) {
      const from = { position: at, eventId };
      await expect(runner.run({ prefixes: PREFIXES, from, consumer })).rejects.toThrow(RestoredLog);
    }
    expect(store.subscribed).toBe(0);
  });
});
