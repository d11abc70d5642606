import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let eve: Person;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', GROUP_MEMBERS_MAX: '8' });
});
afterAll(() => door.close());

const start = async (...others: readonly Person[]): Promise<string> => {
  [ada, ben, eve] = [await door.person('Ada'), await door.person('Ben'), await door.person('Eve')];
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
  return String(body.conversationId);
};
const at = (room: string, rest = '') => `/v1/conversations/${room}${rest}`;
const read = async (by: Person, path: string, minPosition = '0') =>
  (await door.send('GET', `${path}?minPosition=${minPosition}`, { by })).body;
const change = (room: string, json: object) =>
  door.send('PATCH', at(room, '/joining'), { by: ada, json });
const linkTo = async (room: string, terms: object = {}) => {
  const made = await door.send('POST', at(room, '/invites'), { by: ada, json: terms });
  const { items = [] } = await read(ada, at(room, '/invites'), made.body.position);
  const [link] = items;
  return { token: String(link?.token), inviteId: String(link?.inviteId) };
};
const come = (by: Person, token: string) =>
  door.send('POST', `/v1/invites/${token}/join`, { by, json: {} });
const membersOf = async (room: string, position?: string) =>
  (await read(ada, at(room, '/members'), position)).items ?? [];
const add = (room: string, ...who: readonly Person[]) =>
  door.send('POST', at(room, '/members'), {
    by: ada,
    json: { members: who.map(({ userId }) => userId) },
  });
const say = (by: Person, room: string, text: string) =>
  door.send('POST', at(room, '/messages'), { by, json: { text } });

describe('[F7] A link', () => {
  it('[abuse 95] [abuse 96] shows little, changes nothing by being looked at, and lets in', async () => {
    const room = await start();
    await say(ada, room, 'Among us');
    const { token } = await linkTo(room, { uses: 2 });
    expect(token).toMatch(/^[\w-]{64}$/);
    const before = await door.stored();
    const preview = await read(ben, `/v1/invites/${token}`);
    expect(await door.stored()).toBe(before);
    expect(preview).toEqual({ conversationId: room, name: 'Choir', members: 1, approval: false });
    const { status, body } = await come(ben, token);
    expect(status).toBe(200);
    expect(await membersOf(room, body.position)).toContainEqual(
      expect.objectContaining({ userId: ben.userId, role: 'member' }),
    );
    expect((await come(ben, token)).status).toBe(200);
    const page = await read(ben, at(room, '/messages'), body.position);
    expect(JSON.stringify(page)).not.toContain('Among us');
  });

  it('[abuse 93] is worth nothing once it was revoked, is over, or was used up', async () => {
    const room = await start();
    const [revoked, used] = [await linkTo(room), await linkTo(room, { uses: 1 })];
    await door.send('DELETE', at(room, `/invites/${revoked.inviteId}`), { by: ada });
    await door.refuses(() => come(ben, revoked.token), 404, 'not_found');
    await come(ben, used.token);
    await door.refuses(() => come(eve, used.token), 404, 'not_found');
    const past = { expiresAt: '2020-01-01T00:00:00Z' };
    const making = () => door.send('POST', at(room, '/invites'), { by: ada, json: past });
    const { body } = await door.refuses(making, 422, 'invalid');
    expect(body.detail).toContain('to come');
    expect((await door.send('GET', `/v1/invites/${used.token}`, { by: eve })).status).toBe(404);
  });

  it('[abuse 93] with one use left lets in just one of many at once', async () => {
    const room = await start();
    const { token } = await linkTo(room, { uses: 1 });
    const crowd = await Promise.all(Array.from({ length: 20 }, () => door.person('Crowd')));
    const came = await Promise.all(crowd.map((by) => come(by, token)));
    expect(came.filter(({ status }) => status === 200)).toHaveLength(1);
    const position = came.find(({ status }) => status === 200)?.body.position;
    expect(await membersOf(room, position)).toHaveLength(2);
  });

  it('[abuse 92] is not guessed, and trying is limited', async () => {
    const strict = await openDoor();
    const by = await strict.person('Mallory');
    const tried: number[] = [];
    for (let index = 0; index < 12; index += 1) {
      const path = `/v1/invites/${String(index).padStart(64, 'x')}/join`;
      tried.push((await strict.send('POST', path, { by, json: {} })).status);
    }
    await strict.close();
    expect(new Set(tried.slice(0, 10))).toEqual(new Set([404]));
    expect(tried.at(-1)).toBe(429);
  });

  it('[abuse 94] does not let in who is banned', async () => {
    const room = await start();
    const { token } = await linkTo(room);
    await come(ben, token);
    await door.send('PUT', at(room, `/bans/${ben.userId}`), { by: ada, json: {} });
    const { body } = await door.refuses(() => come(ben, token), 403, 'forbidden');
    expect(body.detail).toContain('banned');
  });

  it('is made by who may invite, and leads nowhere once the group is no more', async () => {
    const room = await start();
    const { token } = await linkTo(room);
    await come(ben, token);
    const making = () => door.send('POST', at(room, '/invites'), { by: ben, json: {} });
    await door.refuses(making, 403, 'forbidden');
    await door.send('DELETE', at(room), { by: ada });
    const { body } = await door.refuses(() => come(eve, token), 404, 'not_found');
    expect(body.detail).toBeTruthy();
  });
});

describe('[B4] A public group', () => {
  it('is found and joined by everybody; a private one is not there', async () => {
    const room = await start();
    const joining = () => door.send('POST', at(room, '/join'), { by: ben, json: {} });
    await door.refuses(joining, 404, 'not_found');
    expect((await door.send('GET', at(room, '/preview'), { by: ben })).status).toBe(404);
    const { body } = await change(room, { access: 'public' });
    expect(await read(ben, at(room, '/preview'), body.position)).toMatchObject({ name: 'Choir' });
    expect((await joining()).status).toBe(200);
    expect((await say(ben, room, 'Here I am')).status).toBe(201);
  });
});

describe('[F8] A request', () => {
  it('waits until somebody lets them in, or does not', async () => {
    const room = await start();
    const { body } = await change(room, { access: 'public', approval: true });
    expect(body.position).toBeTruthy();
    for (const by of [ben, eve]) await door.send('POST', at(room, '/join'), { by, json: {} });
    await door.refuses(() => say(ben, room, 'In?'), 404, 'not_found');
    const waiting = await read(ada, at(room, '/waiting'));
    expect(waiting.items).toHaveLength(2);
    const path = at(room, `/requests/${ben.userId}`);
    await door.refuses(() => door.send('PUT', path, { by: eve }), 404, 'not_found');
    expect((await door.send('PUT', path, { by: ada })).status).toBe(200);
    expect((await say(ben, room, 'In!')).status).toBe(201);
    const ended = await door.send('DELETE', at(room, `/requests/${eve.userId}`), { by: ada });
    expect((await read(eve, '/v1/me/waiting', ended.body.position)).items).toEqual([]);
    await door.refuses(
      () => door.send('PUT', at(room, `/requests/${eve.userId}`), { by: ada }),
      404,
      'not_found',
    );
  });
});

describe('[F3] An invitation', () => {
  it('[abuse 115] [abuse 31] is what who wants to be asked gets, whatever the reason', async () => {
    const room = await start();
    await door.send('PATCH', '/v1/me/privacy', { by: ben, json: { adding: 'nobody' } });
    await door.send('PUT', `/v1/me/blocks/${ada.userId}`, { by: eve });
    const added = await add(room, ben, eve);
    expect(added.status).toBe(200);
    expect(await membersOf(room, added.body.position)).toHaveLength(1);
    const { items: waiting } = await read(ada, at(room, '/waiting'));
    // Nothing tells who has blocked and who only wants to be asked.
    const kinds = (waiting ?? []).map((one) => Object.keys(one).toSorted().join());
    expect([kinds.length, new Set(kinds).size]).toEqual([2, 1]);
    await door.refuses(() => say(ben, room, 'In?'), 404, 'not_found');
    expect((await read(ben, '/v1/me/waiting')).items).toMatchObject([{ conversationId: room }]);
    const path = at(room, '/invitation/accept');
    const { status, body } = await door.send('POST', path, { by: ben, json: {} });
    expect(status).toBe(200);
    expect(await membersOf(room, body.position)).toContainEqual(
      expect.objectContaining({ userId: ben.userId, addedBy: ada.userId }),
    );
    await door.send('DELETE', at(room, `/invitations/${eve.userId}`), { by: eve });
    await door.refuses(() => door.send('POST', path, { by: eve, json: {} }), 404, 'not_found');
  });
});

describe('[X45] What newcomers read', () => {
  it('[V9] is nothing of what was said before, or all of it, as it was when they came', async () => {
    const room = await start();
    await say(ada, room, 'The first word');
    await add(room, ben);
    await change(room, { history: 'all' });
    const added = await add(room, eve);
    const path = at(room, '/messages');
    const own = await read(eve, path, added.body.position);
    expect(JSON.stringify(own)).toContain('The first word');
    expect(own.items?.map(({ seq }) => seq)).toEqual(own.items?.map((_, index) => index));
    expect(JSON.stringify(await read(ben, path))).not.toContain('The first word');
    // What was said before is there to read, and no news.
    expect(await read(eve, at(room))).toMatchObject({ unread: 0 });
    await door.send('DELETE', at(room, `/members/${eve.userId}`), { by: ada });
    const { body } = await say(ada, room, 'The last word');
    expect(JSON.stringify(await read(eve, path, body.position))).not.toContain('The last word');
  });
});
