import { Test } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CommandsModule, PolicyRunner, Scheduler } from '#commands';
import { cancelSchedules, type ScheduledView } from '#domain';
import { SteppedClock, until } from '#testing';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let clock: SteppedClock;
beforeEach(async () => {
  clock = new SteppedClock();
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' }, undefined, { clock });
});
afterEach(() => door.close());

const MINUTE_MS = 60_000;
const inMinutes = (count: number): string =>
  new Date(clock.now() + count * MINUTE_MS).toISOString();
const look = () => door.app.get(Scheduler).look();
const start = async (by: Person, ...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  return String((await door.send('POST', '/v1/conversations', { by, json })).body.conversationId);
};
const schedule = async (room: string, by: Person, json: object): Promise<string> => {
  const path = `/v1/conversations/${room}/scheduled`;
  const { status, text } = await door.send('POST', path, { by, json });
  expect(status).toBe(201);
  return String(Object(JSON.parse(text)).scheduleId);
};
const list = async (by: Person) =>
  (await door.send('GET', '/v1/me/scheduled', { by })).body.items ?? [];
const said = async (room: string, by: Person) => {
  const { items = [] } = (await door.send('GET', `/v1/conversations/${room}/messages`, { by }))
    .body;
  return items.filter(({ type }) => type === 'message.sent').map(({ data }) => data?.['text']);
};
const of = (id: string) => `/v1/me/scheduled/${id}`;
/** Another process on the same log and databases. */
const another = async () => {
  const module = await Test.createTestingModule({
    imports: [CommandsModule.on(door.ports)],
  }).compile();
  return module.init();
};
const both = async () => {
  const [ada, ben] = [await door.person('Ada'), await door.person('Ben')];
  return { ada, ben, room: await start(ada, ben) };
};

describe('[X5] a scheduled message', () => {
  it('is said when its time has come, by its person, as if they had sent it then', async () => {
    const { ada, ben, room } = await both();
    const entities = [{ type: 'mention', offset: 0, length: 4, userId: ben.userId }];
    const message = { text: '@Ben good morning', entities };
    const scheduleId = await schedule(room, ada, { sendAt: inMinutes(1), message });
    expect(await list(ada)).toMatchObject([
      { scheduleId, conversationId: room, status: 'waiting', message },
    ]);
    expect(await list(ben)).toEqual([]);
    await look();
    expect(await said(room, ben)).toEqual([]);
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ben)).toEqual(['@Ben good morning']);
    expect(await list(ada)).toEqual([]);
    const { items } = (await door.send('GET', `/v1/conversations/${room}/messages`, { by: ben }))
      .body;
    expect(items?.at(-1)).toMatchObject({
      actor: ada.userId,
      at: clock.iso(),
      data: { mentions: [ben.userId] },
    });
  });

  it('is said once, by however many processes at the same time', async () => {
    const { ada, ben, room } = await both();
    await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'once' } });
    clock.pass(MINUTE_MS);
    const others = await Promise.all([1, 2, 3].map(() => another()));
    await Promise.all(others.map((module) => module.get(Scheduler).look()));
    await Promise.all(others.map((module) => module.close()));
    expect(await said(room, ben)).toEqual(['once']);
    expect(await list(ada)).toEqual([]);
  });

  it('is changed and cancelled until then, by its person alone', async () => {
    const { ada, ben, room } = await both();
    const [one, two] = [
      await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'one' } }),
      await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'two' } }),
    ];
    const json = { message: { text: 'uno' }, sendAt: inMinutes(2) };
    await door.refuses(() => door.send('PATCH', of(one), { by: ben, json }), 404, 'not_found');
    await door.refuses(() => door.send('DELETE', of(one), { by: ben }), 404, 'not_found');
    expect((await door.send('PATCH', of(one), { by: ada, json })).status).toBe(200);
    expect((await door.send('DELETE', of(two), { by: ada })).status).toBe(200);
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ben)).toEqual([]);
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ben)).toEqual(['uno']);
    await door.refuses(() => door.send('PATCH', of(one), { by: ada, json }), 404, 'not_found');
  });

  it('is cancelled when its sender leaves, also if they come back', async () => {
    const { ada, ben, room } = await both();
    const policies = door.app.get(PolicyRunner);
    policies.start([cancelSchedules]);
    const mine = await schedule(room, ben, { sendAt: inMinutes(1), message: { text: 'mine' } });
    await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'hers' } });
    const path = `/v1/conversations/${room}`;
    await door.send('DELETE', `${path}/members/${ben.userId}`, { by: ada });
    await until(async () => Object(await list(ben))[0]?.status === 'left');
    await door.send('POST', `${path}/members`, { by: ada, json: { members: [ben.userId] } });
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ada)).toEqual(['hers']);
    await door.send('DELETE', `/v1/me/scheduled/${mine}`, { by: ben });
    expect(await list(ben)).toEqual([]);
    await policies.stop();
  });

  it('says why it was not said, and can be tried again', async () => {
    const { ada, ben } = await both();
    const direct = await door.send('POST', '/v1/conversations', {
      by: ada,
      json: { kind: 'direct', with: ben.userId },
    });
    const room = String(direct.body.conversationId);
    const scheduleId = await schedule(room, ada, {
      sendAt: inMinutes(1),
      message: { text: 'please' },
    });
    await door.send('PUT', `/v1/me/blocks/${ada.userId}`, { by: ben });
    clock.pass(MINUTE_MS);
    await look();
    expect(await list(ada)).toMatchObject([{ status: 'refused', code: 'forbidden' }]);
    await door.send('DELETE', `/v1/me/blocks/${ada.userId}`, { by: ben });
    const json = { sendAt: inMinutes(1) };
    await door.send('PATCH', `/v1/me/scheduled/${scheduleId}`, { by: ada, json });
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ben)).toEqual(['please']);
  });

  it('is not said by who is going', async () => {
    const { ada, ben, room } = await both();
    await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'x' } });
    await door.send('DELETE', '/v1/me', { by: ada });
    clock.pass(MINUTE_MS);
    await look();
    expect(await said(room, ben)).toEqual([]);
  });

  it('is refused where it is no message, has no time to come, or one is not in', async () => {
    const { ada, ben } = await both();
    const room = await start(ben);
    const path = `/v1/conversations/${room}/scheduled`;
    const ask = (by: Person, json: object) => () => door.send('POST', path, { by, json });
    const message = { text: 'x' };
    const sendAt = inMinutes(1);
    await door.refuses(ask(ada, { sendAt, message }), 404, 'not_found');
    await door.refuses(ask(ben, { sendAt }), 400, 'bad_request');
    await door.refuses(ask(ben, { sendAt: 'soon', message }), 400, 'bad_request');
    await door.refuses(ask(ben, { sendAt: inMinutes(-1), message }), 422, 'invalid');
    await door.refuses(ask(ben, { sendAt: inMinutes(600_000), message }), 422, 'invalid');
    await door.refuses(ask(ben, { sendAt, message: { text: ' ' } }), 422, 'invalid');
    expect(await list(ben)).toEqual([]);
  });

  it('costs its conversation nothing while it waits', async () => {
    const { ada, room } = await both();
    const head = async () => (await door.ports.store.read(`conversation-${room}`, 0, 1_000)).length;
    const before = await head();
    await schedule(room, ada, { sendAt: inMinutes(1), message: { text: 'x' } });
    expect(await head()).toBe(before);
    const [kept] = await door.views.find<ScheduledView>('scheduled', { filter: {} });
    expect(kept).toMatchObject({ userId: ada.userId, dueAt: inMinutes(1) });
  });
});
