import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EventStore, StaleRevision, type LogEvent, type NewEvent } from '#platform';
import { until } from './until.js';

/** A log to hold to the contract, and how to end it. */
export type OpenedStore = Readonly<{ store: EventStore; end: () => Promise<void> }>;

const proposed = (text = 'said', id: string = randomUUID()): NewEvent => ({
  id,
  type: 'Said',
  data: { text, nested: { list: [1, 'two', null] } },
  metadata: { $correlationId: id },
});

const many = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, at) => proposed(String(at)));

const textsOf = (events: readonly LogEvent[]) => events.map(({ data }) => data['text']);

/** What is told to a subscriber, in the order it is told. */
const listening = (calls: { slowMs?: number } = {}) => {
  const heard: (LogEvent | 'caught up')[] = [];
  const checkpoints: number[] = [];
  const drops: Error[] = [];
  let inside = 0;
  const told = async (what: LogEvent | 'caught up'): Promise<void> => {
    inside += 1;
    expect(inside).toBe(1);
    heard.push(what);
    if (calls.slowMs !== undefined)
      await new Promise((resolve) => setTimeout(resolve, calls.slowMs));
    inside -= 1;
  };
  return {
    heard,
    checkpoints,
    drops,
    events: () => heard.filter((what) => what !== 'caught up'),
    subscriber: {
      event: (event: LogEvent) => told(event),
      checkpoint: (position: number) => {
        checkpoints.push(position);
      },
      caughtUp: () => told('caught up'),
      dropped: (error: Error) => {
        drops.push(error);
      },
    },
  };
};

const appending = (opened: () => EventStore) => {
  it('numbers a stream from 0 and places events by growing positions', async () => {
    const stream = `contract-${randomUUID()}`;
    const first = await opened().append(stream, -1, many(3));
    const second = await opened().append(stream, 2, [proposed()]);
    expect([first.revision, second.revision]).toEqual([2, 3]);
    expect(second.position).toBeGreaterThan(first.position);
    const events = await opened().read(stream, 0);
    expect(events.map(({ revision }) => revision)).toEqual([0, 1, 2, 3]);
    expect(events.map(({ position }) => position)).toEqual(
      events.map(({ position }) => position).toSorted((a, b) => a - b),
    );
    expect(events.at(2)?.position).toBe(first.position);
  });

  it('gives back what was written, and only JSON of it', async () => {
    const stream = `contract-${randomUUID()}`;
    const event = proposed('naïve 🙂   "quoted"');
    const { position } = await opened().append(stream, -1, [event]);
    expect(await opened().read(stream, 0)).toEqual([{ ...event, stream, revision: 0, position }]);
  });

  it('refuses a writer who takes the stream to be elsewhere, and appends nothing', async () => {
    const stream = `contract-${randomUUID()}`;
    await opened().append(stream, -1, many(2));
    for (const expected of [-1, 0, 2, 7])
      await expect(opened().append(stream, expected, many(2))).rejects.toThrow(StaleRevision);
    await expect(opened().append(`${stream}-absent`, 0, many(1))).rejects.toThrow(StaleRevision);
    expect(await opened().read(stream, 0)).toHaveLength(2);
  });

  it('answers a repeat of an append as it answered the first', async () => {
    const stream = `contract-${randomUUID()}`;
    await opened().append(stream, -1, many(1));
    const events = many(3);
    const first = await opened().append(stream, 0, events);
    await opened().append(stream, 3, many(1));
    expect(await opened().append(stream, 0, events)).toEqual(first);
    expect(await opened().read(stream, 0)).toHaveLength(5);
  });

  it('lets one of many racing writers win', async () => {
    const stream = `contract-${randomUUID()}`;
    const races = Array.from({ length: 20 }, () => opened().append(stream, -1, [proposed()]));
    const ended = await Promise.allSettled(races);
    const lost = ended.filter((end) => end.status === 'rejected');
    expect(lost).toHaveLength(19);
    for (const { reason } of lost) expect(reason).toBeInstanceOf(StaleRevision);
    expect(await opened().read(stream, 0)).toHaveLength(1);
  });

  it('takes writers who expect nothing in any number, and loses none', async () => {
    const stream = `contract-${randomUUID()}`;
    const events = many(200);
    await Promise.all(events.map((event) => opened().append(stream, 'any', [event])));
    const ids = (await opened().read(stream, 0)).map(({ id }) => id);
    expect(ids.toSorted()).toEqual(events.map(({ id }) => id).toSorted());
  });
};

const reading = (opened: () => EventStore) => {
  it('has nothing in a stream that nobody wrote to', async () => {
    const stream = `contract-${randomUUID()}`;
    expect(await opened().read(stream, 0)).toEqual([]);
    expect(await opened().last(stream)).toBeUndefined();
  });

  it('reads from a revision, and no more than asked for', async () => {
    const stream = `contract-${randomUUID()}`;
    await opened().append(stream, -1, many(10));
    expect(textsOf(await opened().read(stream, 4, 3))).toEqual(['4', '5', '6']);
    expect(await opened().read(stream, 10)).toEqual([]);
    expect((await opened().last(stream))?.revision).toBe(9);
  });

  it('finds the event at exactly a position', async () => {
    const stream = `contract-${randomUUID()}`;
    const { position } = await opened().append(stream, -1, [proposed('here')]);
    expect(await opened().at(position)).toMatchObject({ position, stream, revision: 0 });
    expect(await opened().at(position + 1)).toBeUndefined();
    expect(await opened().at(position + 1_000_000)).toBeUndefined();
  });

  it('knows the last event of the streams one asks for', async () => {
    const [ours, others] = [`ours${randomUUID()}-`, `others${randomUUID()}-`];
    expect(await opened().head([ours])).toBeUndefined();
    const event = proposed();
    const { position } = await opened().append(`${ours}1`, -1, [event]);
    await opened().append(`${others}1`, -1, many(50));
    expect(await opened().head([ours])).toEqual({ position, eventId: event.id });
    expect((await opened().head([ours, others]))?.position).toBeGreaterThan(position);
  });

  it('reads the whole log by pages, each after the last, of the streams one asks for', async () => {
    const [ours, others] = [`ours${randomUUID()}-`, `others${randomUUID()}-`];
    for (let at = 0; at < 12; at += 1) {
      await opened().append(`${ours}${at % 3}`, 'any', [proposed(String(at))]);
      await opened().append(`${others}1`, 'any', many(7));
    }
    const read: LogEvent[] = [];
    for (let page = await opened().readAll([ours], undefined, 5); page.length > 0;) {
      expect(page.length).toBeLessThanOrEqual(5);
      read.push(...page);
      page = await opened().readAll([ours], page.at(-1)?.position, 5);
    }
    expect(textsOf(read)).toEqual(Array.from({ length: 12 }, (_, at) => String(at)));
  });

  it('keeps only the latest event of a stream that is told to', async () => {
    const stream = `contract-${randomUUID()}`;
    await opened().append(stream, 'any', many(2));
    await opened().keepLatest(stream);
    await opened().append(stream, 'any', [proposed('latest')]);
    expect(textsOf(await opened().read(stream, 0))).toEqual(['latest']);
    expect((await opened().last(stream))?.revision).toBe(2);
  });
};

const following = (opened: () => EventStore) => {
  it('tells what stood there, that it has caught up, and then what is new', async () => {
    const prefix = `ours${randomUUID()}-`;
    await opened().append(`${prefix}1`, -1, many(3));
    const { heard, events, subscriber, drops } = listening();
    const subscription = await opened().subscribe([prefix], undefined, subscriber);
    await until(() => heard.includes('caught up'));
    await opened().append(`${prefix}2`, -1, many(2));
    await until(() => events().length === 5);
    await subscription.close();
    expect(heard.indexOf('caught up')).toBe(3);
    expect(textsOf(events())).toEqual(['0', '1', '2', '0', '1']);
    expect(drops).toEqual([]);
  });

  it('begins after a position, without a gap or a repeat', async () => {
    const prefix = `ours${randomUUID()}-`;
    const { position } = await opened().append(`${prefix}1`, -1, many(3));
    await opened().append(`${prefix}1`, 2, many(40));
    const { events, subscriber } = listening();
    const subscription = await opened().subscribe([prefix], position, subscriber);
    await until(() => events().length >= 40);
    await subscription.close();
    expect(textsOf(events())).toEqual(Array.from({ length: 40 }, (_, at) => String(at)));
  });

  it('waits for a slow subscriber, calls it once at a time and leaves nothing out', async () => {
    const prefix = `ours${randomUUID()}-`;
    const { events, subscriber, drops } = listening({ slowMs: 1 });
    const subscription = await opened().subscribe([prefix], undefined, subscriber);
    for (let at = 0; at < 10; at += 1) await opened().append(`${prefix}1`, 'any', many(20));
    await until(() => events().length === 200 || drops.length > 0);
    await subscription.close();
    // A real EventStoreDB may drop who is 32 behind: then in order, without a gap, and told once.
    expect(drops.length).toBeLessThanOrEqual(1);
    const revisions = events().map(({ revision }) => revision);
    expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, at) => at));
    expect(revisions.length === 200 || drops.length === 1).toBe(true);
  });

  it('tells who waits for rare events how far the log was scanned, never past one', async () => {
    const [ours, others] = [`ours${randomUUID()}-`, `others${randomUUID()}-`];
    const { events, checkpoints, subscriber } = listening();
    const subscription = await opened().subscribe([ours], undefined, subscriber);
    const { position } = await opened().append(`${others}1`, -1, many(500));
    await until(() => (checkpoints.at(-1) ?? 0) > position / 2 && checkpoints.length > 0);
    const passed = checkpoints.at(-1) ?? 0;
    const late = await opened().append(`${ours}1`, -1, many(1));
    await until(() => events().length === 1);
    await subscription.close();
    expect(late.position).toBeGreaterThan(passed);
    expect(checkpoints).toEqual(checkpoints.toSorted((a, b) => a - b));
  });
};

const ending = (opened: () => EventStore) => {
  it('says nothing more once closed', async () => {
    const prefix = `ours${randomUUID()}-`;
    const { heard, subscriber, drops } = listening();
    const subscription = await opened().subscribe([prefix], undefined, subscriber);
    await until(() => heard.includes('caught up'));
    await subscription.close();
    await opened().append(`${prefix}1`, -1, many(3));
    const after = listening();
    const second = await opened().subscribe([prefix], undefined, after.subscriber);
    await until(() => after.events().length === 3);
    await second.close();
    expect(heard).toEqual(['caught up']);
    expect(drops).toEqual([]);
  });

  it('leaves other subscribers, readers and writers alone when one closes', async () => {
    const prefix = `ours${randomUUID()}-`;
    const [staying, leaving] = [listening(), listening()];
    const stays = await opened().subscribe([prefix], undefined, staying.subscriber);
    const leaves = await opened().subscribe([prefix], undefined, leaving.subscriber);
    const reads = Array.from({ length: 20 }, () => opened().read(`${prefix}1`, 0));
    const writes = many(20).map((event) => opened().append(`${prefix}1`, 'any', [event]));
    await leaves.close();
    await Promise.all([...reads, ...writes]);
    await opened().append(`${prefix}1`, 'any', many(5));
    await until(() => staying.events().length === 25);
    await stays.close();
    expect(staying.drops).toEqual([]);
  });

  it('drops a subscriber that fails, once, and says why', async () => {
    const prefix = `ours${randomUUID()}-`;
    const drops: Error[] = [];
    const subscription = await opened().subscribe([prefix], undefined, {
      event: () => Promise.reject(new Error('The subscriber is broken.')),
      dropped: (error) => drops.push(error),
    });
    await opened().append(`${prefix}1`, -1, many(3));
    await until(() => drops.length > 0);
    await subscription.close();
    expect(drops).toHaveLength(1);
  });
};

/** What every log must do, whichever stands behind the port. */
export const eventStoreContract = (name: string, open: () => Promise<OpenedStore>): void => {
  describe(`${name} as the log`, () => {
    let opened: OpenedStore | undefined;
    const store = (): EventStore => {
      if (!opened) throw new Error('The log is not open.');
      return opened.store;
    };

    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      await opened?.end();
    });

    describe('appending', () => {
      appending(store);
    });
    describe('reading', () => {
      reading(store);
    });
    describe('following', () => {
      following(store);
      ending(store);
    });
  });
};
