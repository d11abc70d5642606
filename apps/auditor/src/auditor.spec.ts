import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mayRead, type HistoryEntry, type MemberView } from '#domain';
import { SPAN_NODES, SPANS, type EventStore, type LogEvent, type Span } from '#platform';
import { chatterOf, HandTime, logged, memoryPorts } from '#testing';
import { Auditor } from './auditor.js';
import { FactWindow } from './fact-window.js';
import { addTally, emptyTally, hexOf, wordsOf } from './tally.js';

const NODE = randomUUID();
const SEED = 7;

type World = Awaited<ReturnType<typeof open>>;
type Shown = Readonly<{ id: string; position: number }>;

/** Everything a person must have been shown, asked of the views the slow way. */
const owed = async ({ ports }: World, userId: string, from: number): Promise<Shown[]> => {
  const places = await ports.views.find<MemberView>('members', { filter: { userId } });
  const stays = new Map(places.map((place) => [place.conversationId, place.intervals]));
  const facts = await ports.views.find<HistoryEntry>('history', {
    filter: { seq: { $gte: 0 }, place: { $gt: from } },
    sort: { place: 1 },
  });
  return facts
    .filter(({ conversationId, place }) => mayRead(stays.get(conversationId) ?? [], place))
    .map(({ _id, place }) => ({ id: _id, position: place }));
};

const append = async (store: EventStore, events: readonly LogEvent[]): Promise<void> => {
  for (const { stream, revision: _revision, position: _position, ...event } of events)
    await store.append(stream, 'any', [event]);
};

const open = async (before: number, after: number) => {
  const time = new HandTime();
  const ports = { ...memoryPorts({}, { clock: time.clock }), timer: time };
  const chatter = chatterOf({ seed: SEED, events: before + after, people: 6, rooms: 5 });
  const said = await logged(ports.codec, chatter);
  await append(ports.store, said.slice(0, -after));
  const head = (await ports.store.head(['conversation-']))?.position ?? -1;
  const auditor = new Auditor(ports);
  await auditor.start();
  await append(ports.store, said.slice(-after));
  const end = (await ports.store.head(['conversation-']))?.position ?? -1;
  const members = await ports.views.find<MemberView>('members', { filter: {} });
  const people = [...new Set(members.map(({ userId }) => userId))];
  return { time, ports, auditor, head, end, people };
};

const tallyOf = (shown: readonly Shown[]) => {
  const tally = emptyTally();
  for (const { id } of shown) addTally(tally, 1, wordsOf(id));
  return { count: tally.count, ids: hexOf(tally) };
};

describe('the shadow auditor', () => {
  let world: World;
  /** Says that a person's device has shown these facts; gives its span. */
  const says = async (
    userId: string,
    shown: readonly Shown[],
    more: Partial<Span> & { from?: number; upTo?: number; disorder?: number } = {},
  ): Promise<Span> => {
    const { from = world.head, upTo = world.end, disorder = 0, ...rest } = more;
    const now = world.time.clock.now();
    const span: Span = {
      _id: `of ${userId}`,
      userId,
      deviceId: userId,
      node: NODE,
      openedAt: 0,
      path: [],
      told: upTo,
      acknowledged: upTo,
      live: true,
      seen: { from: String(from), ...tallyOf(shown), disorder, upTo },
      at: now,
      ...rest,
    };
    await world.ports.operations.putAll(SPANS, [span]);
    await world.ports.operations.put(SPAN_NODES, NODE, { at: now });
    await world.time.pass(2_000);
    return span;
  };
  const personWith = async (from: number, least: number) => {
    for (const userId of world.people) {
      const facts = await owed(world, userId, from);
      if (facts.length >= least) return { userId, facts };
    }
    throw new Error('Nobody was told that much.');
  };

  beforeEach(async () => {
    world = await open(150, 300);
  });
  afterEach(() => world.auditor.stop());

  it(`[Z12] agrees with every person, whoever came and went (seed ${SEED})`, async () => {
    for (const userId of world.people) await says(userId, await owed(world, userId, world.head));
    const report = world.auditor.report();
    expect(report).toMatchObject({ status: 'clean', devices: world.people.length, alarms: [] });
    expect(report.compared).toBeGreaterThanOrEqual(world.people.length);
  });

  it('[Z12] agrees also with what was said before it began, from the history', async () => {
    for (const userId of world.people)
      await says(userId, await owed(world, userId, 0), { from: 0 });
    expect(world.auditor.report()).toMatchObject({
      status: 'clean',
      devices: world.people.length,
      adopted: 0,
    });
  });

  it('[Z12] goes on from the last comparison', async () => {
    const { userId, facts } = await personWith(world.head, 20);
    for (let end = 4; end < facts.length; end += 4) {
      const shown = facts.slice(0, end + 1);
      await says(userId, shown, { upTo: shown.at(-1)?.position ?? 0 });
    }
    expect(world.auditor.report().status).toBe('clean');
    expect(world.auditor.report().compared).toBeGreaterThan(4);
  });

  it('[Z12] raises an alarm for one that was lost, and lets it go when it was shown after all', async () => {
    const { userId, facts } = await personWith(world.head, 20);
    await says(userId, facts.toSpliced(5, 1));
    expect(world.auditor.report()).toMatchObject({
      status: 'alarm',
      wrong: 1,
      totals: { lost: 1, duplicated: 0, misordered: 0 },
      alarms: [{ kind: 'lost', count: 1, deviceId: userId }],
    });
    await says(userId, facts);
    // The same place says nothing new; the next one does.
    await says(userId, facts, { upTo: world.end + 1 });
    expect(world.auditor.report()).toMatchObject({ status: 'clean', totals: { healed: 1 } });
  });

  it('[Z12] raises alarms for one shown twice, for another in its place, and for disorder', async () => {
    const { userId, facts } = await personWith(world.head, 20);
    await says(userId, [...facts, ...facts.slice(0, 1)]);
    expect(world.auditor.report().totals).toMatchObject({ lost: 0, duplicated: 1, misordered: 0 });
    await says(userId, [...facts.slice(1), { id: randomUUID(), position: 0 }], {
      upTo: world.end + 1,
    });
    expect(world.auditor.report().totals).toMatchObject({ lost: 1, duplicated: 1, misordered: 0 });
    await says(userId, facts, { upTo: world.end + 2, disorder: 3 });
    expect(world.auditor.report().totals).toMatchObject({ lost: 1, duplicated: 1, misordered: 3 });
  });

  it('[Z12] says who is late, and raises an alarm after a minute', async () => {
    const { userId, facts } = await personWith(world.head, 20);
    const shown = facts.slice(0, 5);
    const upTo = shown.at(-1)?.position ?? 0;
    await says(userId, shown, { upTo, acknowledged: upTo });
    await world.time.pass(10_000);
    expect(world.auditor.report()).toMatchObject({ status: 'clean', late: 1 });
    for (let second = 0; second < 70; second += 5) {
      await world.ports.operations.put(SPAN_NODES, NODE, { at: world.time.clock.now() });
      await world.time.pass(5_000);
    }
    expect(world.auditor.report()).toMatchObject({ status: 'alarm', totals: { overdue: 1 } });
    await says(userId, facts);
    await world.time.pass(5_000);
    expect(world.auditor.report()).toMatchObject({ status: 'clean', late: 0 });
  });

  it('[Z12] waits for nobody whose connection is over, or whose node is', async () => {
    const { userId, facts } = await personWith(world.head, 20);
    const upTo = facts[4]?.position ?? 0;
    const shown = facts.slice(0, 5);
    await says(userId, shown, { upTo, acknowledged: upTo, closedAt: 1, live: true });
    await world.time.pass(10_000);
    expect(world.auditor.report()).toMatchObject({ status: 'clean', late: 0 });
    await says(userId, shown, { upTo, acknowledged: upTo });
    await world.time.pass(60_000);
    expect(world.auditor.report()).toMatchObject({ status: 'clean', late: 0 });
  });

  it('[Z12] begins with an empty log as well', async () => {
    const time = new HandTime();
    const ports = { ...memoryPorts({}, { clock: time.clock }), timer: time };
    const auditor = new Auditor(ports);
    await auditor.start();
    const chatter = chatterOf({ seed: SEED, events: 20, people: 3, rooms: 2 });
    await append(ports.store, await logged(ports.codec, chatter));
    await time.pass(2_000);
    const end = (await ports.store.head(['conversation-', 'audience-']))?.position;
    expect(auditor.report().position).toBe(end);
    expect(auditor.isReady).toBe(true);
    await auditor.stop();
  });

  it('counts clients that do not say what they have shown', async () => {
    const { userId } = await personWith(world.head, 1);
    const { seen: _, ...foreign } = await says(userId, []);
    const other = { ...foreign, _id: 'foreign', deviceId: randomUUID() };
    const changed = { ...other, at: world.time.clock.now() };
    await world.ports.operations.putAll(SPANS, [changed]);
    await world.time.pass(2_000);
    expect(world.auditor.report().unaudited).toBe(1);
  });
});

describe('the window of the log', () => {
  it('forgets the older half, and says from where on it knows all', () => {
    const window = new FactWindow(0, 10);
    for (let at = 1; at <= 35; at++) window.add(at % 2 === 0 ? 'even' : 'odd', at, randomUUID());
    expect(window.from).toBe(20);
    expect(window.size).toBeLessThanOrEqual(20);
    expect(window.tally('even', 20, 35).count).toBe(7);
    expect(window.tally('odd', 24, 29).count).toBe(3);
    expect(window.tally('neither', 0, 100).count).toBe(0);
  });
});
