import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { EVENT_SCHEMAS, open, optional, type EventSchema, type ScriptaEvent } from '#domain';
import { MemoryKeys } from '#testing';
import { SystemClock, SystemRandom, SystemTimer } from './clock.js';
import { UnreadableEvent } from './codec.js';
import { SHAPES, shapeOf } from './event-shapes.js';
import { JsonCodec } from './json-codec.js';
import { MemoryEventStore } from './memory-event-store.js';
import { MemoryViewStore, MemoryViewWriter } from './memory-views.js';
import { ReadModelRunner } from './read-model-runner.js';
import { PROJECTIONS } from './read-model.js';

const ADA = randomUUID();

/** A release to come, in which a message says its language. */
const MESSAGE: EventSchema = EVENT_SCHEMAS.MessageSent;
const NEXT_MESSAGE: EventSchema = {
  ...MESSAGE,
  version: MESSAGE.version + 1,
  fields: { ...MESSAGE.fields, language: optional(open.text) },
};
const NEXT_SHAPES = new Map(SHAPES).set('MessageSent', shapeOf('MessageSent', NEXT_MESSAGE));
const NEXT_UPCASTERS = {
  MessageSent: { [MESSAGE.version]: (data: object) => ({ ...data, language: 'und' }) },
};

const stamp = () => ({
  by: ADA,
  at: '2026-11-23T12:00:00.000Z',
  origin: { command: randomUUID() },
});

const world = () => {
  const [store, keys, random] = [new MemoryEventStore(), new MemoryKeys(), new SystemRandom()];
  const old = new JsonCodec(keys, random);
  const next = new JsonCodec(keys, random, NEXT_UPCASTERS, NEXT_SHAPES);
  const append = async (codec: JsonCodec, conversationId: string, event: object) => {
    const id = randomUUID();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of another version's schema
    const encoded = await codec.encode(event as ScriptaEvent, {
      id,
      correlationId: id,
      causationId: id,
    });
    await store.append(`conversation-${conversationId}`, 'any', [encoded]);
  };
  const start = (conversationId: string) =>
    append(old, conversationId, {
      type: 'ConversationStarted',
      data: { ...stamp(), conversationId, kind: 'group', name: 'G' },
    });
  const say = (codec: JsonCodec, conversationId: string, number: number, more: object = {}) =>
    append(codec, conversationId, {
      type: 'MessageSent',
      data: {
        ...stamp(),
        conversationId,
        messageId: randomUUID(),
        number,
        text: `${number}`,
        ...more,
      },
    });
  /** What a projector of one version makes of the log: its history, and what waits. */
  const projectedBy = async (codec: JsonCodec) => {
    const views = new MemoryViewStore();
    const ports = { store, codec, clock: new SystemClock(), timer: new SystemTimer() };
    const writer = new MemoryViewWriter(views);
    const runner = new ReadModelRunner(PROJECTIONS, { ...ports, writer, log: () => undefined });
    await runner.start();
    await runner.apply(await store.readAll(runner.prefixes, undefined, 1_000));
    await runner.settled();
    return { parked: runner.parked, history: [...views.collection('history').values()] };
  };
  return { store, old, next, start, say, projectedBy };
};

it('[Z19] [abuse 116] old and new code run on one log: what is too new waits, the rest goes on', async () => {
  const { store, old, next, start, say, projectedBy } = world();
  const [mixed, plain] = [randomUUID(), randomUUID()];
  await start(mixed);
  await start(plain);
  await say(old, mixed, 1);
  await say(next, mixed, 2, { language: 'de' });
  await say(old, mixed, 3);
  await say(old, plain, 1);

  const byOld = await projectedBy(old);
  expect(byOld.parked['history']).toEqual([`conversation-${mixed}`]);
  // Before the new version all is there, after it nothing; of the other conversation, everything.
  expect(byOld.history).toHaveLength(2 + 2);

  const byNext = await projectedBy(next);
  expect(byNext.parked).toEqual({});
  expect(byNext.history).toHaveLength(4 + 2);
  const shown = JSON.stringify(byNext.history);
  expect(shown).toContain('"language":"de"');
  expect(shown).toContain('"language":"und"');

  const [, , second] = await store.read(`conversation-${mixed}`, 0);
  if (!second) throw new Error('Nothing was said.');
  expect(() => old.decode(second, true)).toThrow(UnreadableEvent);
});

it('[V33] an old event reads the same to new code once its person is erased', async () => {
  const { store, old, start, say } = world();
  const conversationId = randomUUID();
  await start(conversationId);
  await say(old, conversationId, 1);
  const [, message] = await store.read(`conversation-${conversationId}`, 0);
  if (!message) throw new Error('Nothing was said.');
  const erased = new JsonCodec(new MemoryKeys(), new SystemRandom(), NEXT_UPCASTERS, NEXT_SHAPES);
  const { data } = await erased.decode(message, true);
  expect(data).toMatchObject({ text: '', language: 'und', number: 1 });
});
