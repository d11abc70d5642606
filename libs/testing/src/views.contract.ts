import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Projection } from '#domain';
import {
  NEXT,
  ViewsHeld,
  type Kept,
  type Parked,
  type Views,
  type ViewSwitch,
  type ViewWriter,
} from '#platform';

/** A database of read models to hold to the contract, and how to end it. */
export type OpenedViews = Readonly<{
  views: Views;
  writer: ViewWriter;
  switching: ViewSwitch;
  end: () => Promise<void>;
}>;

const thingsNamed = (name: string): Projection<object, never> => ({
  name,
  streams: ['thing-'],
  indexes: [{ key: { owner: 1, position: 1 } }],
  keysOf: () => [],
  evolve: () => undefined,
});

/** A view of its own for each test: generations and what readers have seen outlive a test. */
let things = thingsNamed('');
let view = '';

const NONE: ReadonlySet<string> = new Set();

const thing = (_id: string, position: number, fields: object = { owner: 'ann' }): Kept => ({
  ...fields,
  _id,
  position,
});

const at = (position: number, scanned = position) => ({
  position,
  eventId: `event-${position}`,
  scanned,
});

const parked = (stream: string): Parked => ({
  view,
  stream,
  eventId: 'event',
  position: 7,
  revision: 3,
  type: 'Odd',
  error: 'it is odd',
  stack: '',
  at: '2026-01-01T00:00:00.000Z',
  lastAt: '2026-01-01T00:00:00.000Z',
  attempts: 1,
  waiting: 0,
});

const fifty = (position: number) =>
  Array.from({ length: 50 }, (_, index) => thing(`d${index}`, position + (index % 3)));

const writing = (opened: () => OpenedViews) => {
  it('[Z6] remembers who was erased, and replaces what is not newer', async () => {
    const { writer, switching } = opened();
    const userId = randomUUID();
    expect((await writer.erased()).has(userId)).toBe(false);
    await writer.noteErased(userId);
    await writer.noteErased(userId);
    expect((await writer.erased()).has(userId)).toBe(true);
    await writer.write(view, [thing('a', 9, { text: 'said' })], new Set(['a']));
    await writer.write(view, [thing('newer', 9, { text: 'later' })], new Set(['newer']));
    const replacing = [thing('a', 9, { text: '' }), thing('newer', 8), thing('new', 3)];
    expect([...(await switching.replace(view, replacing))]).toEqual(['newer']);
    expect(await writer.load(view, ['newer'])).toEqual([thing('newer', 9, { text: 'later' })]);
    expect(await writer.load(view, ['a', 'new'])).toEqual([
      thing('a', 9, { text: '' }),
      thing('new', 3),
    ]);
    const { method } = await switching.compact();
    expect(['copy and swap', 'compact']).toContain(method);
    expect(await writer.load(view, ['new'])).toEqual([thing('new', 3)]);
  });

  it('writes new documents and finds them by id, by a question and by page', async () => {
    const { writer, views } = opened();
    const documents = [thing('b', 2), thing('a', 1), thing('c', 3, { owner: 'bob' })];
    const refused = await writer.write(view, documents, new Set(['a', 'b', 'c']));
    expect(refused).toEqual([]);
    expect(await views.get(view, ['a', 'x'])).toEqual([thing('a', 1)]);
    const query = { filter: { owner: 'ann' }, sort: { position: -1 } as const, limit: 1 };
    expect(await views.find(view, query)).toEqual([thing('b', 2)]);
    const named = await views.find(view, { ...query, fields: ['owner'] });
    expect(named).toEqual([{ _id: 'b', position: 2, owner: 'ann' }]);
    const page = await writer.page(view, 'a', 10);
    expect(page.map(({ _id }) => _id)).toEqual(['b', 'c']);
  });

  it('keeps a position above 2^31, and numbers and nested fields as they are', async () => {
    const { writer, views } = opened();
    const document = thing('big', 2 ** 50 + 1, { owner: 'ann', nested: { a: [1, -1, 'x', {}] } });
    await writer.write(view, [document], new Set(['big']));
    expect(await views.get(view, ['big'])).toEqual([document]);
  });
};

const guarding = (opened: () => OpenedViews) => {
  it('never goes back: one who is behind is refused, whatever they believe', async () => {
    const { writer } = opened();
    await writer.write(view, [thing('a', 5), thing('b', 5)], new Set(['a', 'b']));
    const refused = await writer.write(
      view,
      [thing('a', 4, { owner: 'old' }), thing('b', 5, { owner: 'same' }), thing('c', 1)],
      new Set(['a']),
    );
    expect(refused.toSorted()).toEqual(['a', 'b']);
    expect(await writer.load(view, ['a', 'b', 'c'])).toEqual([
      thing('a', 5),
      thing('b', 5),
      thing('c', 1),
    ]);
  });

  it('replaces what is older, even what a writer took to be absent', async () => {
    const { writer } = opened();
    await writer.write(view, [thing('a', 1), thing('b', 1)], new Set(['a', 'b']));
    const newer = [thing('a', 2, { owner: 'bob' }), thing('b', 3, { owner: 'bob' })];
    expect(await writer.write(view, newer, new Set(['a']))).toEqual([]);
    expect(await writer.load(view, ['a', 'b'])).toEqual(newer);
  });

  it('lets two writers at once end with the newest of each document', async () => {
    const { writer } = opened();
    const ids = fifty(0).map(({ _id }) => _id);
    await Promise.all([10, 30, 20, 5].map((from) => writer.write(view, fifty(from), new Set(ids))));
    const found = await writer.load(view, ids);
    expect(found.map(({ position }) => position).toSorted((a, b) => a - b)).toEqual(
      fifty(30)
        .map(({ position }) => position)
        .toSorted((a, b) => a - b),
    );
  });

  it('hides a deleted document from readers, keeps its guard, and forgets it in the end', async () => {
    const { writer, views } = opened();
    await writer.write(view, [thing('a', 1)], new Set(['a']));
    await writer.write(view, [{ _id: 'a', position: 2, gone: true }], NONE);
    expect(await views.get(view, ['a'])).toEqual([]);
    expect(await views.find(view, { filter: { owner: 'ann' } })).toEqual([]);
    expect(await writer.write(view, [thing('a', 1)], new Set(['a']))).toEqual(['a']);
    await writer.forget(view, ['a'], 1);
    expect(await writer.load(view, ['a'])).toHaveLength(1);
    await writer.forget(view, ['a'], 2);
    expect(await writer.load(view, ['a'])).toEqual([]);
  });
};

const checkpointing = (opened: () => OpenedViews) => {
  it('stands before the log at first, and prepares again without going back', async () => {
    const { writer, views } = opened();
    expect(await views.checkpoint(view)).toBe(-1);
    await writer.save(new Map([[view, 0]]), at(10));
    await writer.prepare(things);
    expect(await views.checkpoint(view)).toBe(10);
  });

  it('moves forward only, and tells how far the log was looked through', async () => {
    const { writer, views } = opened();
    const own = new Map([[view, 0]]);
    await writer.save(own, at(10, 12));
    await writer.save(own, at(5));
    expect((await writer.checkpoints()).get(view)).toEqual({ ...at(10, 12), generation: 0 });
    expect(await views.checkpoint(view)).toBe(12);
  });

  it('lets reads wait for a position, many at once, and says when it is not reached', async () => {
    const { writer, views } = opened();
    const own = new Map([[view, 0]]);
    const early = Array.from({ length: 100 }, (_, n) => views.reached([view], n, 10_000));
    const never = views.reached([view], 1_000, 30);
    expect(await never).toBe(false);
    await writer.save(own, at(99));
    expect(await Promise.all(early)).toEqual(early.map(() => true));
    expect(await views.reached([view], 99, 0)).toBe(true);
    expect(await views.reached([view, 'absent'], 99, 0)).toBe(false);
  });
};

const parking = (opened: () => OpenedViews) => {
  it('keeps what is parked by view and stream, and counts tries and what waits', async () => {
    const { writer } = opened();
    await writer.park(parked('thing-1'));
    await writer.park(parked('thing-1'));
    await writer.park(parked('thing-2'));
    await writer.countWaiting(view, new Map([['thing-1', 3]]));
    const found = await writer.parked(view);
    expect(found.toSorted((a, b) => (a.stream < b.stream ? -1 : 1))).toEqual([
      { ...parked('thing-1'), attempts: 2, waiting: 3 },
      parked('thing-2'),
    ]);
    expect(await writer.parked('other')).toEqual([]);
  });
};

const switching = (opened: () => OpenedViews) => {
  it('is held by one at a time, who lets go alone', async () => {
    const { writer, switching: views } = opened();
    const own = new Map([[view, 0]]);
    await views.hold([view], 'me');
    await expect(views.hold([view], 'you')).rejects.toThrow(ViewsHeld);
    // A projector ends the batch under way, so that what it wrote is what its checkpoint says.
    await writer.save(own, at(2));
    await views.release([view], 'you');
    await expect(views.renew([view], 'you')).rejects.toThrow(ViewsHeld);
    await views.renew([view], 'me');
    expect((await writer.checkpoints()).get(view)).toEqual({
      ...at(2),
      generation: 0,
      hold: { by: 'me', beat: 1 },
    });
    await views.release([view], 'me');
    await views.hold([view], 'you');
  });

  it('builds a view beside the live one and puts it in its place, all or nothing', async () => {
    const { writer, views, switching: swap } = opened();
    await writer.write(view, [thing('old', 1), thing('both', 1)], new Set(['old', 'both']));
    await writer.save(new Map([[view, 0]]), at(1));
    await writer.park(parked('thing-1'));
    await swap.clear(view);
    const next = swap.next();
    await next.prepare(things);
    await next.write(view, [thing('new', 2), thing('both', 2)], new Set(['new', 'both']));
    await next.park(parked('thing-2'));
    await next.save(new Map([[view, 0]]), at(2));
    const before = await views.get(view, ['old', 'new', 'both']);
    expect(before.toSorted((a, b) => (a._id < b._id ? -1 : 1))).toEqual([
      thing('both', 1),
      thing('old', 1),
    ]);
    await swap.swap(view);
    const query = { filter: { owner: 'ann' }, sort: { _id: 1 } as const };
    expect(await views.find(view, query)).toEqual([thing('both', 2), thing('new', 2)]);
    expect((await writer.checkpoints()).get(view)).toEqual({ ...at(2), generation: 1 });
    expect((await writer.parked(view)).map(({ stream }) => stream)).toEqual(['thing-2']);
    expect(await next.parked(view)).toEqual([]);
    expect((await next.checkpoints()).has(view)).toBe(false);
    await expect(writer.save(new Map([[view, 0]]), at(3))).rejects.toThrow(ViewsHeld);
    await expect(swap.swap(view)).rejects.toThrow(NEXT);
  });

  it('mends single documents whatever is there, and lets the stream go on', async () => {
    const { writer, switching: mending } = opened();
    await writer.write(view, [thing('a', 5), thing('b', 5)], new Set(['a', 'b']));
    await writer.park(parked('thing-1'));
    await mending.mend(view, 'thing-1', [thing('a', 4, { owner: 'mended' })]);
    expect(await writer.load(view, ['a'])).toEqual([thing('a', 4, { owner: 'mended' })]);
    expect(await writer.parked(view)).toEqual([]);
    expect((await writer.checkpoints()).get(view)?.generation).toBe(1);
  });

  it('hears from projectors until they leave', async () => {
    const { switching: views } = opened();
    const id = randomUUID();
    // Others may have been here: a server that is given keeps what a killed projector left.
    const own = async () => (await views.beats()).filter((beat) => beat.id === id);
    await views.beat({ id, beat: 1, holds: [] });
    await views.beat({ id, beat: 2, holds: ['me'] });
    expect(await own()).toEqual([{ id, beat: 2, holds: ['me'] }]);
    await views.leave(id);
    expect(await own()).toEqual([]);
  });
};

/**
 * Holds the database of read models to what the ports `Views`, `ViewWriter`, `ViewSwitch` promise.
 */
export const viewsContract = (name: string, open: () => Promise<OpenedViews>): void => {
  describe(`views: ${name}`, () => {
    let opened: OpenedViews;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened.end());
    beforeEach(async () => {
      view = `things-${randomUUID()}`;
      things = thingsNamed(view);
      await opened.writer.prepare(things);
    });
    describe('documents', () => {
      writing(() => opened);
      guarding(() => opened);
    });
    describe('checkpoints', () => {
      checkpointing(() => opened);
    });
    describe('parked streams', () => {
      parking(() => opened);
    });
    describe('replacing', () => {
      switching(() => opened);
    });
  });
};
