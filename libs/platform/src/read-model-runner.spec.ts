import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  Codec,
  digestOf,
  JsonCodec,
  KeysUnavailable,
  MemoryEventStore,
  MemoryViewStore,
  MemoryViewWriter,
  PROJECTIONS,
  ReadModelRunner,
  RestoredLog,
  SystemClock,
  SystemRandom,
  SystemTimer,
  ViewsHeld,
  ViewsUnavailable,
  type AnyProjection,
  type LogEvent,
  type ReadModelRunnerPorts,
  type RunnerOptions,
} from '#platform';
import { append, chatterOf, logged, MemoryKeys, until } from '#testing';

const SEED = 20_261_123;
const [clock, timer] = [new SystemClock(), new SystemTimer()];
const codec = new JsonCodec(new MemoryKeys(), new SystemRandom());

type Model = Readonly<{
  views: MemoryViewStore;
  writer: MemoryViewWriter;
  runner: ReadModelRunner;
  said: string[];
}>;

const model = (
  views: MemoryViewStore = new MemoryViewStore(),
  options: RunnerOptions & Readonly<{ projections?: readonly AnyProjection[] }> = {},
  ports: Partial<ReadModelRunnerPorts> = {},
): Model => {
  const said: string[] = [];
  const writer = new MemoryViewWriter(views);
  const log = (message: string) => {
    said.push(message);
  };
  const store = new MemoryEventStore();
  const all = { store, writer, codec, clock, timer, log, ...ports };
  const runner = new ReadModelRunner(options.projections ?? PROJECTIONS, all, options);
  return { views, writer, runner, said };
};

const digests = async ({ writer }: Pick<Model, 'writer'>) =>
  Object.fromEntries(
    await Promise.all(
      PROJECTIONS.map(async ({ name }) => [name, (await digestOf(writer, name)).sha256] as const),
    ),
  );

const fold = async (events: readonly LogEvent[], batchMax: number, options: RunnerOptions = {}) => {
  const own = model(undefined, options);
  await own.runner.start();
  for (let from = 0; from < events.length; from += batchMax)
    await own.runner.apply(events.slice(from, from + batchMax));
  if (options.heldMax) await own.runner.flush();
  await own.runner.settled();
  return own;
};

/** A log that holds what it is given: for runners that begin where another stood. */
class GivenLog extends MemoryEventStore {
  constructor(private readonly events: readonly LogEvent[]) {
    super();
  }

  override at(position: number): Promise<LogEvent | undefined> {
    return Promise.resolve(this.events.find((event) => event.position === position));
  }
}

const failingFold = (): never => {
  throw new Error('a bug in this fold');
};

const broken = (events: readonly LogEvent[], at: number, change: Partial<LogEvent>) =>
  events.map((event, index) => (index === at ? { ...event, ...change } : event));

describe(`read models (seed ${SEED})`, () => {
  let events: readonly LogEvent[];
  let expected: Readonly<Record<string, string>>;

  beforeAll(async () => {
    events = await logged(codec, chatterOf({ seed: SEED, events: 1_500 }));
    expected = await digests(await fold(events, events.length));
  });

  it('hold what was said', async () => {
    const { views } = await fold(events, 100);
    const messages = events.filter(({ type }) => type === 'MessageSent').length;
    const heard = events.filter(({ stream }) => /^(conversation|audience)-/.test(stream)).length;
    expect(messages).toBeGreaterThan(800);
    expect(views.collection('history').size).toBe(heard);
    expect(views.collection('users').size).toBe(12);
  });

  it.each([1, 7, 500])(
    '[V13] are the same whatever the batches: %i events at once',
    async (size) => {
      expect(await digests(await fold(events, size))).toEqual(expected);
    },
  );

  it('[V13] are the same with no room to remember documents, or to hold them back', async () => {
    expect(await digests(await fold(events, 50, { cacheMax: 0 }))).toEqual(expected);
    expect(await digests(await fold(events, 50, { cacheMax: 3, heldMax: 40 }))).toEqual(expected);
  });

  it('[V14] do not change when events come one to three times and batches come again', async () => {
    const draws = fc.record({
      size: fc.integer({ min: 1, max: 60 }),
      times: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 10, maxLength: 40 }),
      again: fc.array(fc.boolean(), { minLength: 5, maxLength: 20 }),
      cacheMax: fc.constantFrom(0, 5, 1_000),
    });
    const property = fc.asyncProperty(draws, async ({ size, times, again, cacheMax }) => {
      const { runner, writer } = model(undefined, { cacheMax });
      await runner.start();
      for (let from = 0, n = 0; from < events.length; from += size, n += 1) {
        const batch = events
          .slice(from, from + size)
          .flatMap((event, at) =>
            Array<LogEvent>(times[(from + at) % times.length] ?? 1).fill(event),
          );
        await runner.apply(batch);
        if (again[n % again.length] === true) await runner.apply(batch);
      }
      await runner.settled();
      expect(await digests({ writer })).toEqual(expected);
    });
    await fc.assert(property, { numRuns: 15 });
  });

  it('[V14] do not change when a new projector begins anywhere before the checkpoint', async () => {
    const own = await fold(events, 100);
    const { runner } = model(own.views, {}, { store: new GivenLog(events) });
    await runner.start();
    await runner.apply(events.slice(300, 900));
    await runner.settled();
    expect(await digests(own)).toEqual(expected);
    expect((await own.writer.checkpoints()).get('history')?.position).toBe(events.at(-1)?.position);
  });

  it('[T6] end the same with two projectors at once, in whatever turns', async () => {
    const property = fc.asyncProperty(
      fc.array(fc.record({ who: fc.boolean(), size: fc.integer({ min: 1, max: 200 }) }), {
        minLength: 20,
      }),
      async (turns) => {
        const views = new MemoryViewStore();
        const pair = [model(views, { cacheMax: 50 }), model(views, { cacheMax: 5 })] as const;
        for (const { runner } of pair) await runner.start();
        const at = [0, 0];
        const turn = async (who: 0 | 1, size: number): Promise<void> => {
          const from = at[who] ?? 0;
          at[who] = from + size;
          await pair[who].runner.apply(events.slice(from, from + size));
        };
        for (const { who, size } of turns) await turn(who ? 1 : 0, size);
        await Promise.all([turn(0, events.length), turn(1, events.length)]);
        for (const { runner } of pair) await runner.settled();
        expect(await digests(pair[0])).toEqual(expected);
      },
    );
    await fc.assert(property, { numRuns: 10 });
  });

  it('wait out a database that is away, and skip nothing', async () => {
    const { runner, writer, views, said } = model();
    await runner.start();
    const folding = (async () => {
      for (let from = 0; from < events.length; from += 50)
        await runner.apply(events.slice(from, from + 50));
      await runner.settled();
    })();
    for (let outage = 0; outage < 5; outage += 1) {
      const heard = said.length;
      views.isDown = true;
      await until(() => said.length > heard || runner.events === events.length);
      views.isDown = false;
    }
    await folding;
    expect(said.join()).toContain('cannot be reached');
    expect(await digests({ writer })).toEqual(expected);
  });

  it('give up an outage when they are stopped', async () => {
    const { runner, views } = model();
    await runner.start();
    views.isDown = true;
    const folding = runner.apply(events.slice(0, 10)).then(() => runner.settled());
    runner.stop();
    await expect(folding).rejects.toThrow(ViewsUnavailable);
  });

  it('refuse a log that was restored from a backup, and say what to do', async () => {
    const store = new MemoryEventStore();
    await append(store, codec, chatterOf({ seed: 1, events: 50 }));
    const own = model(undefined, {}, { store });
    await own.runner.start();
    await own.runner.apply(await store.readAll(['user-', 'conversation-'], undefined, 20));
    await own.runner.settled();
    await expect(model(own.views, {}, { store }).runner.start()).resolves.toBeGreaterThan(0);
    const restored = model(own.views, {}, { store: new MemoryEventStore() });
    await expect(restored.runner.start()).rejects.toThrow(RestoredLog);
    await expect(restored.runner.start()).rejects.toThrow('npm run rebuild');
  });

  it('stop for one who replaces them', async () => {
    const { runner, views } = model();
    await runner.start();
    await runner.apply(events.slice(0, 10));
    await runner.settled();
    const at = views.checkpoints.get('users');
    if (at) views.checkpoints.set('users', { ...at, generation: at.generation + 1 });
    await runner.apply(events.slice(10, 20));
    await expect(runner.settled()).rejects.toThrow(ViewsHeld);
    await expect(runner.apply(events.slice(20, 30))).rejects.toThrow(ViewsHeld);
  });
});

describe('a stream that cannot be folded', () => {
  const poison: readonly (readonly [string, Partial<LogEvent>])[] = [
    ['an unknown type', { type: 'SomethingElse' }],
    ['data that is no record of its type', { data: { v: 1 } }],
    ['a version from the future', { data: { v: 99 } }],
    ['a field of 1 MiB that its schema does not know', { data: { v: 1, x: 'x'.repeat(2 ** 20) } }],
    ['a broken seal', { data: { v: 1, sealed: { subject: 'a', box: 'b', commit: 'c' } } }],
  ];

  it.each(poison)('[V16] waits with all that is known of it: %s', async (_, change) => {
    const events = await logged(codec, chatterOf({ seed: SEED, events: 400 }));
    const at = events.findIndex(({ type, revision }) => type === 'MessageSent' && revision > 5);
    const { stream = '', id, position } = events[at] ?? {};
    const { runner, writer, said } = model();
    await runner.start();
    for (let from = 0; from < events.length; from += 30)
      await runner.apply(broken(events, at, change).slice(from, from + 30));
    await runner.settled();
    const later = events.slice(at + 1).filter((event) => event.stream === stream).length;
    expect(await writer.parked('history')).toEqual([
      expect.objectContaining({ stream, eventId: id, position, attempts: 1, waiting: later }),
    ]);
    expect(said.some((message) => message.includes(`PARKED ${stream} for history`))).toBe(true);
    const others = events.filter(
      (event) => /^(conversation|audience)-/.test(event.stream) && event.stream !== stream,
    );
    const before = events.slice(0, at).filter((event) => event.stream === stream);
    const kept = await writer.load(
      'history',
      events.map((event) => event.id),
    );
    expect(kept).toHaveLength(others.length + before.length);
    expect((await writer.checkpoints()).get('history')?.position).toBe(events.at(-1)?.position);
  });

  it('[D16] is never one whose keys are away for a while: all wait for them', async () => {
    const events = await logged(codec, chatterOf({ seed: SEED, events: 200 }));
    const expected = await digests(await fold(events, 50));
    let failures = 3;
    const flaky = new (class extends Codec {
      override encode = codec.encode.bind(codec);

      override decode(event: LogEvent, opened: boolean) {
        if (event.position !== events[100]?.position || failures === 0)
          return codec.decode(event, opened);
        failures -= 1;
        throw new KeysUnavailable('The disk of the keys does not answer.');
      }
    })();
    const own = model(undefined, {}, { codec: flaky });
    await own.runner.start();
    for (let from = 0; from < events.length; from += 50)
      await own.runner.apply(events.slice(from, from + 50));
    await own.runner.settled();
    expect(failures).toBe(0);
    expect(own.runner.parked).toEqual({});
    expect(await digests(own)).toEqual(expected);
  });

  it('[V16] is no stream of marks: one that is broken waits alone', async () => {
    const events = await logged(codec, chatterOf({ seed: SEED, events: 600 }));
    const marks = events.flatMap(({ type }, index) => (type === 'MarksMoved' ? [index] : []));
    const at = marks[1] ?? 0;
    const { stream = '' } = events[at] ?? {};
    const later = marks.filter((index) => index > at && events[index]?.stream === stream);
    expect(later.length).toBeGreaterThan(0);
    const { runner, writer } = model();
    await runner.start();
    await runner.apply(broken(events, at, { data: { v: 99 } }));
    await runner.settled();
    expect(await writer.parked('receipts')).toMatchObject([{ stream, waiting: 0 }]);
    const without = model();
    await without.runner.start();
    await without.runner.apply(events.filter((_, index) => index !== at));
    await without.runner.settled();
    expect(await digests({ writer })).toEqual(await digests(without));
  });

  it('[V16] waits for the one view that fails; the others have it', async () => {
    const events = await logged(codec, chatterOf({ seed: SEED, events: 200 }));
    const failing = PROJECTIONS.map((projection): AnyProjection =>
      projection.name === 'conversations' ? { ...projection, evolve: failingFold } : projection,
    );
    const { runner, writer } = model(undefined, { projections: failing });
    await runner.start();
    await runner.apply(events);
    await runner.settled();
    expect((await writer.parked('conversations')).length).toBeGreaterThan(1);
    expect(await writer.parked('history')).toEqual([]);
  });
});

describe('a deleted document', () => {
  const deleting: AnyProjection = {
    name: 'deleting',
    streams: ['thing-'],
    indexes: [],
    keysOf: () => ['one'],
    evolve: (before, { revision }) => (before ? undefined : { revision }),
  };

  it('is made anew by a later event, and stays deleted when an earlier one comes again', async () => {
    const events = await logged(
      codec,
      [...chatterOf({ seed: 3, events: 40 })].filter(({ stream }) => stream.startsWith('user-')),
    );
    const things = events.map((event, revision) => ({ ...event, stream: 'thing-1', revision }));
    const { runner, writer } = model(undefined, { projections: [deleting], cacheMax: 0 });
    await runner.start();
    const seen: unknown[] = [];
    for (const event of things.slice(0, 4)) {
      await runner.apply([event, ...things.slice(0, 1)]);
      await runner.settled();
      seen.push((await writer.load('deleting', ['one']))[0]);
    }
    const at = things.map(({ position }) => position);
    expect(seen).toEqual([
      { _id: 'one', position: at[0], revision: 0 },
      { _id: 'one', position: at[1], gone: true },
      { _id: 'one', position: at[2], revision: 2 },
      { _id: 'one', position: at[3], gone: true },
    ]);
  });
});
