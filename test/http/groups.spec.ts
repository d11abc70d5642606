import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let eve: Person;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', GROUP_MEMBERS_MAX: '8' });
  [ada, ben, eve] = [await door.person('Ada'), await door.person('Ben'), await door.person('Eve')];
});
afterAll(() => door.close());

const start = async (...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
  return String(body.conversationId);
};
const at = (room: string, rest = '') => `/v1/conversations/${room}${rest}`;
const make = (by: Person, room: string, who: Person, role: string) =>
  door.send('PUT', at(room, `/members/${who.userId}/role`), { by, json: { role } });
const say = (by: Person, room: string, json: object = { text: 'x' }) =>
  door.send('POST', at(room, '/messages'), { by, json });
const add = (by: Person, room: string, ...who: readonly Person[]) =>
  door.send('POST', at(room, '/members'), {
    by,
    json: { members: who.map(({ userId }) => userId) },
  });
const ban = (by: Person, room: string, who: Person, json: object = {}) =>
  door.send('PUT', at(room, `/bans/${who.userId}`), { by, json });
const read = async (by: Person, path: string, minPosition = '0') =>
  (
    await door.send('GET', `${path}${path.includes('?') ? '&' : '?'}minPosition=${minPosition}`, {
      by,
    })
  ).body;
const rolesIn = async (room: string, position?: string) =>
  Object.fromEntries(
    ((await read(ada, at(room, '/members'), position)).items ?? []).map(({ userId, role }) => [
      userId,
      role,
    ]),
  );

describe('[F1] [F2] A group', () => {
  it('has a name, a description and a picture, which admins change', async () => {
    const room = await start(ben);
    const json = { name: 'Quire', description: 'We sing.\nTuesdays.', image: 'media:abc' };
    const { status, body } = await door.send('PATCH', at(room), { by: ada, json });
    expect(status).toBe(200);
    expect(await read(ben, at(room), body.position)).toMatchObject(json);
    const gone = await door.send('PATCH', at(room), { by: ada, json: { description: '' } });
    expect(await read(ben, at(room), gone.body.position)).toMatchObject({
      name: 'Quire',
      description: '',
    });
    const facts = (await read(ben, at(room, '/messages'))).items?.map(({ type }) => type);
    expect(facts?.slice(-2)).toEqual(['conversation.described', 'conversation.described']);
    await door.refuses(() => door.send('PATCH', at(room), { by: ben, json }), 403, 'forbidden');
  });

  it.each([
    ['a name of 1 MB', { name: 'x'.repeat(1_000_000) }, [413, 422]],
    ['a blank name', { name: '\u200b \u202e' }, [422]],
    ['no change', {}, [400]],
  ])('[abuse 113] refuses %s', async (_, json, statuses) => {
    const room = await start(ben);
    const { status } = await door.send('PATCH', at(room), { by: ada, json });
    expect(statuses).toContain(status);
  });

  it('[abuse 113] keeps markup as it is, and takes out what deceives', async () => {
    const room = await start(ben);
    const json = { name: '<b>Bank</b>\u202e' };
    const { body } = await door.send('PATCH', at(room), { by: ada, json });
    expect(await read(ben, at(room), body.position)).toMatchObject({ name: '<b>Bank</b>' });
  });
});

describe('[F5] Roles', () => {
  it('are given and taken by admins, up to their own, and handed on by the owner', async () => {
    const room = await start(ben, eve);
    await make(ada, room, ben, 'admin');
    const { body } = await make(ben, room, eve, 'moderator');
    expect(await rolesIn(room, body.position)).toEqual({
      [ada.userId]: 'owner',
      [ben.userId]: 'admin',
      [eve.userId]: 'moderator',
    });
    await door.refuses(() => make(eve, room, eve, 'admin'), 403, 'forbidden');
    await door.refuses(() => make(ben, room, ada, 'member'), 403, 'forbidden');
    const owner = at(room, '/owner');
    const json = { userId: eve.userId };
    await door.refuses(() => door.send('PUT', owner, { by: ben, json }), 403, 'forbidden');
    const handed = await door.send('PUT', owner, { by: ada, json });
    expect(await rolesIn(room, handed.body.position)).toMatchObject({
      [ada.userId]: 'admin',
      [eve.userId]: 'owner',
    });
  });

  it('[abuse 107] [V25] two admins who demote each other at once: one wins', async () => {
    const room = await start(ben, eve);
    await make(ada, room, ben, 'admin');
    await make(ada, room, eve, 'admin');
    const both = await Promise.all([
      make(ben, room, eve, 'member'),
      make(eve, room, ben, 'member'),
    ]);
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([200, 403]));
    const roles = Object.values(
      await rolesIn(room, both.find(({ status }) => status === 200)?.body.position),
    );
    expect(new Set(roles)).toEqual(new Set(['admin', 'member', 'owner']));
  });

  it('[abuse 108] the last owner who leaves has a successor', async () => {
    const room = await start(ben, eve);
    await make(ada, room, eve, 'moderator');
    const { body } = await door.send('POST', at(room, '/leave'), { by: ada, json: {} });
    const { items } = await read(eve, at(room, '/members'), body.position);
    expect(items).toContainEqual(expect.objectContaining({ userId: eve.userId, role: 'owner' }));
  });

  it('[abuse 112] a former admin’s command is refused at its place', async () => {
    const room = await start(ben, eve);
    await make(ada, room, ben, 'admin');
    await make(ada, room, ben, 'member');
    await door.refuses(() => make(ben, room, eve, 'admin'), 403, 'forbidden');
    const { body } = await door.refuses(() => add(ben, room, eve), 403, 'forbidden');
    expect(body.detail).toContain('admin');
  });
});

describe('[F6] Permissions', () => {
  it('say who may do what, and only the owner changes them', async () => {
    const room = await start(ben, eve);
    await make(ada, room, eve, 'moderator');
    const path = at(room, '/permissions');
    expect(await read(ben, path)).toMatchObject({ send: 'member', configure: 'owner' });
    const json = { send: 'moderator', media: 'admin', info: 'member' };
    await door.refuses(() => door.send('PATCH', path, { by: eve, json }), 403, 'forbidden');
    const { body } = await door.send('PATCH', path, { by: ada, json });
    expect(await read(ben, path, body.position)).toMatchObject(json);
    const { body: refused } = await door.refuses(() => say(ben, room), 403, 'forbidden');
    expect(refused.detail).toContain('moderator');
    expect((await say(eve, room)).status).toBe(201);
    const media = { ref: 'm', mime: 'image/png', bytes: 1 };
    await door.refuses(() => say(eve, room, { kind: 'image', media }), 403, 'forbidden');
    const named = await door.send('PATCH', at(room), { by: ben, json: { name: 'Ours' } });
    expect(named.status).toBe(200);
  });

  it.each([
    ['an unknown thing', { fly: 'member' }],
    ['an unknown role', { send: 'god' }],
    ['nothing', {}],
  ])('are not changed to %s', async (_, json) => {
    const room = await start();
    const path = at(room, '/permissions');
    const { status } = await door.send('PATCH', path, { by: ada, json });
    expect(status).toBe(400);
  });

  it('[V10] are asked of a message at its place: @all, deleting what others said', async () => {
    const room = await start(ben, eve);
    await make(ada, room, eve, 'moderator');
    const json = { mention_all: 'moderator', delete_others: 'admin' };
    await door.send('PATCH', at(room, '/permissions'), { by: ada, json });
    const all = { text: '@all', entities: [{ type: 'all', offset: 0, length: 4 }] };
    await door.refuses(() => say(ben, room, all), 403, 'forbidden');
    expect((await say(eve, room, all)).status).toBe(201);
    const { body } = await say(ben, room);
    const path = at(room, `/messages/${body.messageId}`);
    await door.refuses(() => door.send('DELETE', path, { by: eve }), 403, 'forbidden');
    expect((await door.send('DELETE', path, { by: ada })).status).toBe(200);
  });
});

describe('[F4] [F9] Who is in it, and who was', () => {
  it('are listed with who brought them in, and how it ended', async () => {
    const room = await start(ben, eve);
    await door.send('DELETE', at(room, `/members/${ben.userId}`), { by: ada });
    const until = '2099-01-01T00:00:00.000Z';
    const { body } = await ban(ada, room, eve, { until });
    const { items } = await read(ada, at(room, '/members'), body.position);
    expect(items).toMatchObject([{ userId: ada.userId, addedBy: ada.userId }]);
    const past = (await read(ada, at(room, '/members?status=past'))).items ?? [];
    expect(past).toHaveLength(2);
    expect(past).toContainEqual(
      expect.objectContaining({ userId: ben.userId, status: 'removed', addedBy: ada.userId }),
    );
    expect(past).toContainEqual(
      expect.objectContaining({ userId: eve.userId, status: 'banned', bannedUntil: until }),
    );
    const member = await start(ben);
    const path = at(member, '/members?status=past');
    await door.refuses(() => door.send('GET', path, { by: ben }), 403, 'forbidden');
  });

  it('do not come back while they are banned', async () => {
    const room = await start(ben, eve);
    await make(ada, room, ben, 'moderator');
    expect((await ban(ben, room, eve)).status).toBe(200);
    await door.refuses(() => say(eve, room), 404, 'not_found');
    await door.refuses(() => add(ada, room, eve), 403, 'forbidden');
    await door.send('DELETE', at(room, `/bans/${eve.userId}`), { by: ben });
    expect((await add(ada, room, eve)).status).toBe(200);
    await door.refuses(() => ban(ben, room, ada), 403, 'forbidden');
    const past = { until: '2020-01-01T00:00:00Z' };
    await door.refuses(() => ban(ben, room, eve, past), 422, 'invalid');
  });

  it('[F10] [abuse 109] are as many as may be: of ten at once just one gets in', async () => {
    const crowd = await Promise.all(
      Array.from({ length: 16 }, (_, index) => door.person(`Crowd ${index}`)),
    );
    const room = await start(...crowd.slice(0, 6));
    const more = await Promise.all(crowd.slice(6).map((person) => add(ada, room, person)));
    expect(more.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(more.filter(({ body }) => body.code === 'conversation_full')).toHaveLength(9);
    expect(
      await read(ada, at(room), more.find(({ status }) => status === 200)?.body.position),
    ).toMatchObject({ members: 8 });
  });

  it('[abuse 110] [abuse 111] are what the log’s order makes of them', async () => {
    const room = await start(ben);
    const [, said] = await Promise.all([
      door.send('DELETE', at(room, `/members/${ben.userId}`), { by: ada }),
      say(ben, room, { text: 'Just before, or too late' }),
    ]);
    expect([201, 404]).toContain(said.status);
    await door.refuses(() => say(ben, room), 404, 'not_found');
    await add(ada, room, ben);
    await door.send('DELETE', at(room, `/members/${ben.userId}`), { by: ada });
    await add(ada, room, ben);
    expect((await say(ben, room)).status).toBe(201);
  });
});

describe('[X24] [F15] The pace', () => {
  it('makes each member wait after a message, and tells how long', async () => {
    const room = await start(ben, eve);
    const path = at(room, '/pace');
    const { body } = await door.send('PATCH', path, { by: ada, json: { slowModeS: 60 } });
    expect(await read(ben, at(room), body.position)).toMatchObject({ slowModeS: 60 });
    expect((await say(ben, room)).status).toBe(201);
    const { status, headers } = await say(ben, room);
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(50);
    expect((await say(eve, room)).status).toBe(201);
    expect((await say(ada, room)).status).toBe(201);
    expect((await say(ada, room)).status).toBe(201);
    await door.send('PATCH', path, { by: ada, json: { slowModeS: 0 } });
    expect((await say(ben, room)).status).toBe(201);
  });

  it('lets all together say so much in a minute', async () => {
    const room = await start(ben, eve);
    await door.send('PATCH', at(room, '/pace'), { by: ada, json: { perMinute: 3 } });
    const said = await Promise.all([ben, eve, ben, eve, ben].map((by) => say(by, room)));
    expect(said.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(said.filter(({ status }) => status === 429)).toHaveLength(2);
  });
});

describe('[F11] The end of a group', () => {
  it('is told to all, leaves what was said to who was there, and lets nobody back', async () => {
    const room = await start(ben);
    await say(ben, room, { text: 'So long' });
    await door.refuses(() => door.send('DELETE', at(room), { by: ben }), 403, 'forbidden');
    const { status, body } = await door.send('DELETE', at(room), { by: ada });
    expect(status).toBe(200);
    const { items } = await read(ben, at(room, '/messages'), body.position);
    expect(items?.map(({ type }) => type).slice(-3)).toEqual([
      'message.sent',
      'conversation.deleted',
      'members.dismissed',
    ]);
    for (const by of [ada, ben]) await door.refuses(() => say(by, room), 404, 'not_found');
    const list = await read(ben, '/v1/conversations', body.position);
    expect(JSON.stringify(list)).not.toContain(room);
  });

  it('may close what was said to everybody', async () => {
    const room = await start(ben);
    await say(ben, room, { text: 'Nobody shall read this' });
    const { body } = await door.send('DELETE', `${at(room)}?history=closed`, { by: ada });
    for (const by of [ada, ben]) {
      const page = await read(by, at(room, '/messages'), body.position);
      expect(JSON.stringify(page)).not.toContain('Nobody shall');
      expect(page.items?.map(({ type }) => type)).toEqual(['members.dismissed']);
    }
  });
});
