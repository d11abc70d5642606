import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Body, type Door, type Person } from './door.js';

let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', RECEIPT_TICK_MS: '10' });
});
afterAll(() => door.close());

const start = async (by: Person, ...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  return String((await door.send('POST', '/v1/conversations', { by, json })).body.conversationId);
};
const at = (conversationId: string, rest = '') => `/v1/conversations/${conversationId}${rest}`;
const say = async (conversationId: string, by: Person, text: string): Promise<Body> =>
  (await door.send('POST', at(conversationId, '/messages'), { by, json: { text } })).body;
const page = async (conversationId: string, by: Person, query = ''): Promise<Body> =>
  (await door.send('GET', at(conversationId, `/messages${query}`), { by })).body;
const texts = ({ items = [] }: Body): unknown[] =>
  items.filter(({ type }) => type === 'message.sent').map(({ data }) => data?.['text']);
const add = (conversationId: string, by: Person, ...people: readonly Person[]) =>
  door.send('POST', at(conversationId, '/members'), {
    by,
    json: { members: people.map(({ userId }) => userId) },
  });
const remove = (conversationId: string, by: Person, { userId }: Person) =>
  door.send('DELETE', at(conversationId, `/members/${userId}`), { by });
const list = async (by: Person, query = ''): Promise<Body> =>
  (await door.send('GET', `/v1/conversations${query}`, { by })).body;
const mark = (conversationId: string, by: Person, kind: string, seq: number) =>
  door.send('POST', at(conversationId, '/marks'), { by, json: { kind, seq } });
const people = async (...names: readonly string[]): Promise<Person[]> =>
  Promise.all(names.map((name) => door.person(name)));
const three = async () => {
  const [ada, ben, eve] = await people('Ada', 'Ben', 'Eve');
  if (!ada || !ben || !eve) throw new Error('Nobody came.');
  return { ada, ben, eve };
};

describe('history', () => {
  it('is paged in the order of seq, backwards and forwards, each fact once', async () => {
    const { ada, ben } = await three();
    const room = await start(ada, ben);
    for (let count = 1; count <= 23; count++) await say(room, ada, `message ${count}`);
    const walk = async (direction: 'before' | 'after', first: string): Promise<number[]> => {
      const seqs: number[] = [];
      let query = first;
      for (;;) {
        const { items = [], cursor } = await page(room, ben, query);
        const found = items.map(({ seq = -2 }) => seq);
        if (direction === 'before') seqs.unshift(...found);
        else seqs.push(...found);
        if (cursor === undefined) return seqs;
        query = `?limit=10&${direction}=${cursor}`;
      }
    };
    // Ben's stay begins with the fact that added him.
    const all = Array.from({ length: 24 }, (_, index) => index + 1);
    expect(await walk('before', '?limit=10')).toEqual(all);
    expect(await walk('after', '?limit=10&after=0')).toEqual(all);
    const between = await page(room, ben, '?after=3&before=6');
    expect(between.items?.map(({ seq }) => seq)).toEqual([4, 5]);
  });

  it('[V7] [Z18] shows one’s own message by its position, or says that it lags', async () => {
    const { ada } = await three();
    const room = await start(ada);
    const { position } = await say(room, ada, 'Here I am');
    expect(texts(await page(room, ada, `?minPosition=${position}`))).toEqual(['Here I am']);
    door.views.paused = true;
    const later = await say(room, ada, 'And again');
    const asking = () =>
      door.send('GET', at(room, `/messages?minPosition=${later.position}`), { by: ada });
    const { headers } = await door.refuses(asking, 503, 'behind');
    expect(headers.get('retry-after')).toBe('1');
    door.views.paused = false;
    expect(texts(await page(room, ada))).toEqual(['Here I am', 'And again']);
  });

  it('[V8] hides what was said between a removal and a return', async () => {
    const { ada, ben } = await three();
    const room = await start(ada, ben);
    await say(room, ada, 'before');
    await remove(room, ada, ben);
    await say(room, ada, 'behind his back');
    expect(texts(await page(room, ben))).toEqual(['before']);
    await add(room, ada, ben);
    await say(room, ada, 'welcome back');
    expect(texts(await page(room, ben))).toEqual(['before', 'welcome back']);
    expect(texts(await page(room, ben, '?after=0'))).toEqual(['before', 'welcome back']);
    const types = (await page(room, ben)).items?.map(({ type }) => type);
    expect(types).toEqual([
      'members.added',
      'message.sent',
      'member.removed',
      'members.added',
      'message.sent',
    ]);
    expect(texts(await page(room, ada))).toHaveLength(3);
  });

  it('[V8] walks over an absence page by page', async () => {
    const { ada, ben } = await three();
    const room = await start(ada, ben);
    for (let count = 0; count < 4; count++) await say(room, ada, `first stay ${count}`);
    await remove(room, ada, ben);
    for (let count = 0; count < 30; count++) await say(room, ada, 'hidden');
    await add(room, ada, ben);
    for (let count = 0; count < 4; count++) await say(room, ada, `second stay ${count}`);
    const seen: unknown[] = [];
    for (let query = '?limit=3'; ;) {
      const found = await page(room, ben, query);
      seen.unshift(...texts(found));
      if (found.cursor === undefined) break;
      query = `?limit=3&before=${found.cursor}`;
    }
    expect(seen).toHaveLength(8);
    expect(seen).not.toContain('hidden');
  });

  it('[V9] begins for a newcomer where they came in', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben);
    await say(room, ada, 'among us two');
    await add(room, ada, eve);
    await say(room, ada, 'hello Eve');
    expect(texts(await page(room, eve))).toEqual(['hello Eve']);
  });

  it('[V8] [V10] shows nothing above the known memberships while it lags', async () => {
    const { ada, ben } = await three();
    const room = await start(ada, ben);
    await say(room, ada, 'before');
    expect(texts(await page(room, ben))).toEqual(['before']);
    door.views.paused = true;
    await remove(room, ada, ben);
    await say(room, ada, 'after');
    expect(texts(await page(room, ben))).toEqual(['before']);
    await door.refuses(
      () => door.send('POST', at(room, '/messages'), { by: ben, json: { text: 'still in?' } }),
      404,
      'not_found',
    );
    door.views.paused = false;
    expect(texts(await page(room, ben))).toEqual(['before']);
  });
});

describe('the list of conversations', () => {
  it('[V12] is newest first with last message and unread, by page', async () => {
    const { ada, ben, eve } = await three();
    const rooms = [await start(ada, ben), await start(ada, ben, eve), await start(ben, ada)];
    for (const [index, room] of rooms.entries())
      for (let count = 0; count <= index; count++) await say(room, ben, `${index}.${count}`);
    await say(rooms[0] ?? '', ben, 'newest');
    const { items = [] } = await list(ada);
    const order = [rooms[0], rooms[2], rooms[1]];
    expect(items.map(({ conversationId }) => conversationId)).toEqual(order);
    expect(items.map(({ unread }) => unread)).toEqual([2, 3, 2]);
    expect(items[0]).toMatchObject({
      kind: 'group',
      name: 'Choir',
      role: 'owner',
      members: 2,
      number: 2,
      read: -1,
      last: { text: 'newest', by: ben.userId },
    });
    const first = await list(ada, '?limit=2');
    const second = await list(ada, `?limit=2&cursor=${first.cursor}`);
    const paged = [...(first.items ?? []), ...(second.items ?? [])];
    expect(paged.map(({ conversationId }) => conversationId)).toEqual(order);
    expect(second.cursor).toBeUndefined();
  });

  it('[V12] counts neither one’s own, nor what was read or came before', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben);
    for (const text of ['one', 'two', 'three']) await say(room, ben, text);
    const unreadOf = async (by: Person) => (await list(by)).items?.[0]?.unread;
    expect([await unreadOf(ada), await unreadOf(ben)]).toEqual([3, 0]);
    const { position } = (await mark(room, ada, 'read', 3)).body;
    const read = await list(ada, `?minPosition=${position}`);
    expect(read.items?.[0]).toMatchObject({ unread: 1, read: 3 });
    await say(room, ada, 'mine');
    expect([await unreadOf(ada), await unreadOf(ben)]).toEqual([0, 1]);
    await add(room, ada, eve);
    expect(await unreadOf(eve)).toBe(0);
    await say(room, ada, 'hello Eve');
    expect(await unreadOf(eve)).toBe(1);
  });

  it('holds nothing that was left', async () => {
    const { ada, ben } = await three();
    const room = await start(ada, ben);
    await door.send('POST', at(room, '/leave'), { by: ben, json: {} });
    expect((await list(ben)).items).toEqual([]);
    await door.refuses(() => door.send('GET', at(room), { by: ben }), 404, 'not_found');
    expect((await door.send('GET', at(room), { by: ada })).body).toMatchObject({ members: 1 });
  });
});

describe('a direct conversation', () => {
  it('is one, whoever opens it and however often', async () => {
    const { ada, ben } = await three();
    const open = (by: Person, other: Person) =>
      door.send('POST', '/v1/conversations', { by, json: { kind: 'direct', with: other.userId } });
    const answers = [await open(ada, ben), await open(ben, ada), await open(ada, ben)];
    expect(answers.map(({ status }) => status)).toEqual([201, 200, 200]);
    expect(new Set(answers.map(({ body }) => body.conversationId)).size).toBe(1);
    const room = String(answers[0]?.body.conversationId);
    const leaving = () => door.send('POST', at(room, '/leave'), { by: ben, json: {} });
    await door.refuses(leaving, 403, 'forbidden');
  });
});

describe('members', () => {
  it('are named by page to members only', async () => {
    const { ada, ben, eve } = await three();
    const many = await people(...Array.from({ length: 23 }, (_, count) => `Singer ${count}`));
    const others = many.map(({ userId }) => userId);
    const json = { kind: 'group', name: 'All', members: [ben.userId, ...others] };
    const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
    const path = at(String(body.conversationId), '/members?limit=10');
    const named: unknown[] = [];
    for (let cursor = ''; ;) {
      const answer = await door.send('GET', `${path}${cursor}`, { by: ben });
      named.push(...(answer.body.items ?? []).map((item) => Reflect.get(item, 'userId')));
      if (answer.body.cursor === undefined) break;
      cursor = `&cursor=${answer.body.cursor}`;
    }
    expect(named).toEqual([ada.userId, ben.userId, ...others].toSorted());
    await door.refuses(() => door.send('GET', path, { by: eve }), 404, 'not_found');
  });

  it('exist: whoever was never registered can be neither written to nor added', async () => {
    const { ada, ben } = await three();
    const nobody = randomUUID();
    const refused = async (path: string, json: object) => {
      const { status, body } = await door.send('POST', path, { by: ada, json });
      expect([status, body.code]).toEqual([404, 'not_found']);
      expect(JSON.stringify(body)).toContain(nobody);
    };
    const room = await start(ada, ben);
    await refused('/v1/conversations', { kind: 'direct', with: nobody });
    await refused('/v1/conversations', { kind: 'group', name: 'x', members: [ben.userId, nobody] });
    await refused(at(room, '/members'), { members: [nobody] });
  });

  it('may be named the moment they have registered, while the read models stand still', async () => {
    const { ada } = await three();
    door.views.paused = true;
    const eve = await door.person('Eve');
    const json = { kind: 'group', name: 'x', members: [eve.userId] };
    const { status } = await door.send('POST', '/v1/conversations', { by: ada, json });
    door.views.paused = false;
    expect(status).toBe(201);
  });

  it('are added and removed by admins only', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben);
    await door.refuses(() => add(room, ben, eve), 403, 'forbidden');
    await door.refuses(() => remove(room, ben, ada), 403, 'forbidden');
    await door.refuses(() => add(room, ada, ben), 409, 'already_a_member');
    expect((await add(room, ada, eve)).status).toBe(200);
    expect((await remove(room, ada, eve)).status).toBe(200);
  });
});

describe('receipts', () => {
  it('[V11] tell a message’s author whom it reached and who saw it', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben, eve);
    const { messageId } = await say(room, ada, 'Did you get this?');
    await mark(room, ben, 'delivered', 2);
    const { position } = (await mark(room, eve, 'read', 2)).body;
    const path = at(room, `/messages/${messageId}/receipts`);
    const { body } = await door.send('GET', `${path}?minPosition=${position}`, { by: ada });
    const expected = [
      { userId: ben.userId, delivered: true, read: false },
      { userId: eve.userId, delivered: true, read: true },
    ];
    expect(body.items).toEqual(expected.toSorted((a, b) => (a.userId < b.userId ? -1 : 1)));
    await door.refuses(() => door.send('GET', path, { by: ben }), 403, 'forbidden');
  });
});

describe('a broadcast', () => {
  it('is followed by anybody, read from then on, and spoken in by its admins', async () => {
    const { ada, ben, eve } = await three();
    const json = { kind: 'broadcast', name: 'News', members: [eve.userId] };
    const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
    const room = String(body.conversationId);
    await say(room, ada, 'before');
    const followed = await door.send('POST', at(room, '/follow'), { by: ben, json: {} });
    expect(followed.status).toBe(200);
    await say(room, eve, 'news');
    expect(texts(await page(room, ben))).toEqual(['news']);
    expect((await list(ben)).items?.[0]).toMatchObject({ role: 'follower', unread: 1 });
    await door.refuses(
      () => door.send('POST', at(room, '/messages'), { by: ben, json: { text: 'Hi' } }),
      404,
      'not_found',
    );
    await door.send('DELETE', at(room, '/follow'), { by: ben });
    await say(room, ada, 'after');
    expect(texts(await page(room, ben))).toEqual(['news']);
  });

  it('is the only thing that is followed: a group is not entered so', async () => {
    const { ada, eve } = await three();
    const room = await start(ada);
    const following = () => door.send('POST', at(room, '/follow'), { by: eve, json: {} });
    await door.refuses(following, 404, 'not_found');
    expect((await list(eve)).items).toEqual([]);
  });
});

describe('people', () => {
  it('choose a username that is theirs alone, until they choose another', async () => {
    const { ada, ben } = await three();
    const choose = (by: Person, username: string) =>
      door.send('PUT', '/v1/me/username', { by, json: { username } });
    expect((await choose(ada, 'Countess_Ada')).status).toBe(200);
    await door.refuses(() => choose(ben, 'countess_ada'), 409, 'username_taken');
    const { body } = await door.send('GET', `/v1/users/${ada.userId}`, { by: ben });
    expect(body).toEqual({ userId: ada.userId, name: 'Ada', username: 'countess_ada' });
    const absent = () => door.send('GET', `/v1/users/${randomUUID()}`, { by: ben });
    await door.refuses(absent, 404, 'not_found');
  });
});

describe('the description at /docs', () => {
  it('is a page whose every part comes from this server', async () => {
    const { text, headers } = await door.send('GET', '/docs');
    const parts = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, part = '']) => part);
    expect(parts.length).toBeGreaterThan(3);
    for (const part of parts) {
      const url = new URL(part, `${door.url}/docs`);
      expect(url.origin).toBe(door.url);
      expect((await fetch(url)).status).toBe(200);
    }
    expect(headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(text.match(/<script[^>]*>\s*[^<\s]/)).toBeNull();
  });
});

describe('the log', () => {
  it('that is away is a 503 that may be tried again, and reads go on', async () => {
    const { ada } = await three();
    const room = await start(ada);
    await say(room, ada, 'before');
    door.log.isDown = true;
    const answer = await door.send('POST', at(room, '/messages'), {
      by: ada,
      json: { text: 'Hello?' },
      headers: { 'idempotency-key': 'again' },
    });
    expect([answer.status, answer.body.code]).toEqual([503, 'unavailable']);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(texts(await page(room, ada))).toEqual(['before']);
    door.log.isDown = false;
    const again = await door.send('POST', at(room, '/messages'), {
      by: ada,
      json: { text: 'Hello?' },
      headers: { 'idempotency-key': 'again' },
    });
    expect(again.status).toBe(201);
    expect(texts(await page(room, ada))).toEqual(['before', 'Hello?']);
  });
});
