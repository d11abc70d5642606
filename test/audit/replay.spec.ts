/* oxlint-disable typescript/no-unsafe-type-assertion -- what the tool printed is what is tested */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACCESS_STREAM, conversation } from '#domain';
import {
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  SystemClock,
  SystemRandom,
  type LogEvent,
} from '#platform';
import { startPlatform, until, type Platform } from '#testing';
import { ask, someone, type Someone } from '../delivery/someone.js';
import { auditing, rows } from './auditor.js';

const PURPOSE = ['--purpose', 'complaint 17', '--as', 'Grace Hopper'];

let platform: Platform;
let ada: Someone;
let bob: Someone;
let eve: Someone;
let room: string;
let store: EventStoreDb;
const audit = auditing(() => platform.settings);

const told = async (...args: readonly string[]): Promise<unknown[]> =>
  rows(await audit(...args, '--json', ...PURPOSE));
const stream = () => `conversation-${room}`;
const log = () => store.read(stream(), 0);
const accesses = async () => (await store.read(ACCESS_STREAM, 0)).map(({ data }) => data);

beforeAll(async () => {
  platform = await startPlatform();
  store = new EventStoreDb(platform.settings['EVENTSTORE_URL'] ?? '');
  [ada, bob, eve] = (await Promise.all(
    ['Ada', 'Bob', 'Eve'].map((name) => someone(platform, name)),
  )) as [Someone, Someone, Someone];
  await Promise.all([ada, bob, eve].map(({ client }) => client.connect()));
  const group = { name: 'Engines', members: [bob.userId] };
  room = (await ada.client.startGroup(group)).conversationId;
  for (const text of ['one', 'two', 'three']) await ada.client.send(room, text);
  await ada.client.addMembers(room, [eve.userId]);
  await bob.client.send(room, 'four');
  await eve.client.markRead(room, 6);
  await bob.client.leave(room);
  await until(async () => (await log()).length >= 8);
});

afterAll(async () => {
  await Promise.all([ada, bob, eve].map((one) => one?.client.close()));
  await store?.close();
  await platform?.stop();
});

describe('an auditor', () => {
  it('[Z16] sees nothing without saying what for', async () => {
    const before = await accesses();
    for (const command of [['replay'], ['show', stream(), '0'], ['state', room], ['streams']]) {
      const { code, output, errors } = await audit(...command);
      expect(code).toBe(1);
      expect(output).toBe('');
      expect(errors).toContain('--purpose');
    }
    expect(await accesses()).toEqual(before);
  });

  it('[Z1] [L1] replays a conversation as it was, sealed, and that is a fact of the log', async () => {
    const events = await told('replay', '--stream', stream());
    expect(events).toHaveLength(8);
    expect(events[3]).toMatchObject({
      stream: stream(),
      revision: 3,
      type: 'MessageSent',
      by: ada.userId,
      content: { state: 'sealed', subject: ada.userId },
    });
    expect(JSON.stringify(events)).not.toContain('three');
    expect((await accesses()).at(-1)).toMatchObject({
      who: 'Grace Hopper',
      purpose: 'complaint 17',
      scope: `stream ${stream()}`,
      from: 0,
      content: 'sealed',
    });
  });

  it('[Z16] opens content only by the keys and on demand, which is written down too', async () => {
    const [opened] = await told('show', stream(), '3', '--open');
    const sent = (await log())[3] as LogEvent;
    expect(opened).toMatchObject({
      content: { state: 'opened', texts: { text: 'two' } },
    });
    expect((await accesses()).at(-1)).toMatchObject({
      scope: `${stream()} revision 3`,
      from: sent.position,
      to: sent.position,
      content: 'opened',
    });
    // Who has the log but not the keys opens nothing.
    const stranger = auditing(() => ({
      ...platform.settings,
      DATA_DIR: `${platform.dataDir}-of-a-stranger-${randomUUID()}`,
    }));
    const [shut] = rows(await stranger('show', stream(), '3', '--open', '--json', ...PURPOSE));
    expect(shut).toMatchObject({ content: { state: 'erased' } });
  });

  it('[Z1] filters by type, person, time, position and what caused it, by the page', async () => {
    const messages = await told('replay', '--conversation', room, '--type', 'MessageSent');
    expect(messages).toHaveLength(4);
    const ofBob = await told('replay', '--stream', stream(), '--person', bob.userId);
    expect(ofBob.map((event) => (event as { type: string }).type)).toContain('MemberLeft');
    const [sent] = await log();
    const correlation = String(sent?.metadata['$correlationId']);
    const caused = await told('replay', '--correlation', correlation);
    expect(caused.length).toBeGreaterThanOrEqual(1);
    expect(
      caused.every((event) => (event as { correlationId: string }).correlationId === correlation),
    ).toBe(true);
    const marks = await told('replay', '--conversation', room, '--type', 'MarksMoved');
    expect(marks.length).toBeGreaterThanOrEqual(1);
    const later = await told('replay', '--stream', 'user-*', '--since', '2026-01-01T00:00:00Z');
    expect(later.length).toBeGreaterThanOrEqual(3);

    const args = ['replay', '--stream', stream(), '--limit', '3', '--json', ...PURPOSE];
    const seen: unknown[] = [];
    let cursor: string | undefined;
    do {
      const page = await audit(...args, ...(cursor === undefined ? [] : ['--cursor', cursor]));
      seen.push(...rows(page));
      cursor = /--cursor (\S+)/.exec(page.errors)?.[1];
    } while (cursor !== undefined);
    expect(seen).toEqual(await told('replay', '--stream', stream()));
    const { errors } = await audit('replay', '--cursor', 'bm8', ...PURPOSE);
    expect(errors).not.toBe('');
  });

  it('[Z1] lists streams with their lengths', async () => {
    const streams = await told('streams', '--stream', 'conversation-*');
    expect(streams).toContainEqual(expect.objectContaining({ stream: stream(), events: 8 }));
  });

  it('[Z1] says what was true at any seq: the fold of the stream up to there', async () => {
    const codec = new JsonCodec(
      await LocalKeys.open({ dataDir: platform.dataDir, masterKey: '' }, new SystemClock()),
      new SystemRandom(),
    );
    let state = conversation.initial();
    for (const event of await log()) {
      const decoded = await codec.decode(event, false);
      state = conversation.evolve(state, decoded as never, event.revision);
      const [at] = await told('state', room, '--seq', String(event.revision));
      const [there] = await told('state', room, '--at', String(event.position), '--from-zero');
      expect(at).toMatchObject({
        seq: event.revision,
        position: event.position,
        state: { number: state.number, members: Object.fromEntries(state.members) },
      });
      expect(there).toMatchObject({ state: (at as { state: object }).state });
    }
  });

  it('[Z1] says who was a member, what they had read, and their badges, then and now', async () => {
    const events = await log();
    const added = events.find(({ revision, type }) => revision > 1 && type === 'MembersAdded');
    const [before] = await told(
      'state',
      room,
      '--at',
      String((added?.position ?? 0) - 1),
      '--members',
    );
    expect((before as { userId: string }[]).map(({ userId }) => userId)).not.toContain(eve.userId);
    const [now] = await told('state', room, '--members');
    const { body } = await ask(platform, ada, `/v1/conversations/${room}`);
    const mine = (now as { userId: string; badge?: number; membership: object }[]).find(
      ({ userId }) => userId === ada.userId,
    );
    expect(mine?.badge).toBe((body as { unread: number }).unread);
    const [gone] = await told('state', room, '--member', bob.userId);
    expect(gone).toMatchObject([{ userId: bob.userId, receipt: { readNumber: 4 } }]);
    expect(JSON.stringify(gone)).not.toContain('"badge"');
    const [early] = await told('state', room, '--time', '2020-01-01T00:00:00Z');
    expect(early).toMatchObject({ seq: -1, state: { members: {} } });
  });

  it('[Z1] says what differs between two positions', async () => {
    const events = await log();
    const [from, to] = [events[4]?.position, events.at(-1)?.position];
    const [changed] = await told('diff', room, String(from), String(to));
    expect(changed).toContainEqual({ path: 'number', before: 3, after: 4 });
    expect(changed).toContainEqual(
      expect.objectContaining({ path: `members.${bob.userId}`, before: 'member' }),
    );
  });

  it('[Z1] [V13] finds the live read models to be what the log folds to', async () => {
    const { code, output } = await audit('compare', '--json');
    expect(code).toBe(0);
    const compared = JSON.parse(output) as { view: string; isEqual: boolean; documents: number }[];
    expect(compared.length).toBeGreaterThanOrEqual(6);
    expect(compared.every(({ isEqual }) => isEqual)).toBe(true);
    expect(compared.find(({ view }) => view === 'history')?.documents).toBeGreaterThan(5);
  });
});
