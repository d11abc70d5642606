import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { VIEWS } from '#domain';
import { EventStoreDb, type EventStore, type NewEvent } from '#platform';
import { startPlatform, until, type Platform } from '#testing';
import { builtPath } from '../../tools/start/programs.js';
import { ask, someone, type Someone } from './someone.js';

/** Others have what was said after a poison event within this (V16). */
const LAG_MS_MAX = 1_000;
/** Events of a conversation before the poison: its beginning, its members, a message. */
const BEFORE = 3;
/** Readers of a conversation's facts: the views of them, and live delivery. */
const READERS = [
  ...Object.values(VIEWS).flatMap(({ name, streams }) =>
    streams.some((prefix) => prefix === 'conversation-') ? [name] : [],
  ),
  'realtime',
].toSorted();

const parked = z.array(
  z.object({
    view: z.string(),
    stream: z.string(),
    eventId: z.string(),
    position: z.number(),
    revision: z.number(),
    type: z.string(),
    error: z.string(),
    stack: z.string(),
    at: z.string(),
    lastAt: z.string(),
    attempts: z.number(),
    waiting: z.number(),
  }),
);

const metadata = { $correlationId: randomUUID(), $causationId: randomUUID() };
const sealed = { subject: 'nobody', box: 'b', commit: 'c' };

const POISONS: readonly (readonly [string, Omit<NewEvent, 'id'>])[] = [
  ['a type from the future', { type: 'FromTheFuture', data: { v: 1 }, metadata }],
  ['no record of its type', { type: 'MessageSent', data: { v: 1 }, metadata }],
  ['a version from the future', { type: 'MessageSent', data: { v: 99 }, metadata }],
  ['no version', { type: 'MessageSent', data: {}, metadata }],
  ['1 MiB nobody knows', { type: 'MessageSent', data: { v: 1, x: 'x'.repeat(900_000) }, metadata }],
  ['a broken seal', { type: 'MessageSent', data: { v: 1, sealed }, metadata }],
  ['no cause', { type: 'MemberRemoved', data: { v: 1 }, metadata: {} }],
  ['wrong kinds', { type: 'MembersAdded', data: { v: 1, members: 7, by: [], at: {} }, metadata }],
];

let platform: Platform;
let store: EventStore;
let people: readonly Someone[] = [];

beforeEach(async () => {
  platform = await startPlatform({});
  store = new EventStoreDb(platform.settings['EVENTSTORE_URL'] ?? '');
  people = [await someone(platform, 'Ada'), await someone(platform, 'Bob')];
  for (const { client } of people) await client.connect();
}, 60_000);

afterEach(async () => {
  for (const { client } of people) await client.close();
  await store.close();
  await platform.stop();
});

const run = (...args: string[]) =>
  new Promise<{ code: number; out: string }>((resolve) => {
    const tool = builtPath('tools/parked/main.js');
    const env = { ...process.env, ...platform.settings };
    execFile(process.execPath, [tool, ...args], { env }, (error, out) => {
      resolve({ code: error ? Number(error.code) : 0, out });
    });
  });

const health = async (name: 'projector' | 'realtime'): Promise<unknown> =>
  (await fetch(`http://127.0.0.1:${platform.port(name)}/readyz`)).json();

describe('an event that cannot be read', () => {
  it('[D16] [V16] [T34] stops its own conversation only, and is listed with all that is known', async () => {
    const [ada, bob] = people;
    if (!ada || !bob) throw new Error('Nobody came.');
    const healthy = await ada.client.startGroup({ name: 'Healthy', members: [bob.userId] });
    const processes = ['projector', 'realtime', 'command-api'] as const;
    const pids = processes.map((name) => platform.pid(name));
    const sick: string[] = [];
    for (const [name, poison] of POISONS) {
      const { conversationId } = await ada.client.startGroup({ name, members: [bob.userId] });
      await ada.client.send(conversationId, 'before');
      const stream = `conversation-${conversationId}`;
      sick.push(stream);
      const id = randomUUID();
      await store.append(stream, 'any', [{ ...poison, id }]);
      const began = performance.now();
      const { messageId } = await ada.client.send(healthy.conversationId, `after ${name}`);
      await until(() => bob.facts.some((fact) => fact.id === messageId));
      await until(async () => {
        const path = `/v1/conversations/${healthy.conversationId}/messages?limit=1`;
        return JSON.stringify((await ask(platform, bob, path)).body).includes(messageId);
      });
      expect(performance.now() - began).toBeLessThan(LAG_MS_MAX);
    }
    const listed = async () => parked.parse(JSON.parse((await run('list', '--json')).out));
    await until(async () => (await listed()).length === sick.length * READERS.length, 20_000);
    const all = await listed();
    for (const [index, stream] of sick.entries()) {
      const own = all.filter((one) => one.stream === stream);
      expect(own.map(({ view }) => view).toSorted()).toEqual(READERS);
      for (const one of own) {
        expect(one).toMatchObject({
          type: POISONS[index]?.[1].type,
          revision: BEFORE,
          attempts: 1,
        });
        expect(one.error).not.toBe('');
        expect(one.lastAt).toBe(one.at);
      }
    }
    expect(await health('realtime')).toMatchObject({ parked: sick.length });
    expect(await health('projector')).toMatchObject({ parked: { history: sick.length } });
    expect(platform.log('projector')).toContain(`PARKED ${sick[0]} for history`);
    expect(platform.log('realtime')).toContain(`PARKED ${sick[0]} for realtime`);

    const { code, out } = await run('replay', '--all', '--json');
    expect(code).toBe(1);
    expect(out).toContain('FromTheFuture');
    expect(await listed()).toHaveLength(all.length);
    expect(processes.map((name) => platform.pid(name))).toEqual(pids);
  }, 120_000);

  it('[D16] lets nothing more of its conversation be heard, also by a later life', async () => {
    const [ada, bob] = people;
    if (!ada || !bob) throw new Error('Nobody came.');
    const { conversationId } = await ada.client.startGroup({ name: 'Sick', members: [bob.userId] });
    const healthy = await ada.client.startGroup({ name: 'Healthy', members: [bob.userId] });
    const first = await ada.client.send(conversationId, 'before');
    await until(() => bob.facts.some(({ id }) => id === first.messageId));
    const stream = `conversation-${conversationId}`;
    // One that all can read, for nothing of it is sealed, comes after one that nobody can.
    const [added] = await store.read(stream, 1, 1);
    if (!added) throw new Error('Nobody was added.');
    const { type, data, metadata: caused } = added;
    const again = () => ({ id: randomUUID(), type, data, metadata: caused });
    await store.append(stream, 'any', [
      { id: randomUUID(), type: 'FromTheFuture', data: { v: 1 }, metadata },
      again(),
    ]);
    const heard = async (text: string): Promise<readonly string[]> => {
      const { messageId } = await ada.client.send(healthy.conversationId, text);
      await until(() => bob.facts.some(({ id }) => id === messageId));
      return bob.facts.filter((fact) => fact.conversationId === conversationId).map(({ id }) => id);
    };
    const before = await heard('one');
    expect(before).toContain(first.messageId);
    await until(async () => (await run('list', '--json')).out.includes('"view":"realtime"'));
    await platform.kill('realtime', 'SIGKILL');
    await platform.start('realtime');
    await store.append(stream, 'any', [again()]);
    expect(await heard('two')).toEqual(before);
    expect(await health('realtime')).toMatchObject({ parked: 1 });
  }, 60_000);
});
