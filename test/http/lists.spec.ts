import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false', RECEIPT_TICK_MS: '10' });
});
afterAll(() => door.close());

const start = async (by: Person, ...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  return String((await door.send('POST', '/v1/conversations', { by, json })).body.conversationId);
};
const say = async (room: string, by: Person, json: object) =>
  (await door.send('POST', `/v1/conversations/${room}/messages`, { by, json })).body;
const one = async (room: string, by: Person) =>
  (await door.send('GET', `/v1/conversations/${room}`, { by })).body;
const mention = ({ userId }: Person) => ({
  text: '@you look',
  entities: [{ type: 'mention', offset: 0, length: 4, userId }],
});
const all = { text: '@all look', entities: [{ type: 'all', offset: 0, length: 4 }] };
const three = async () => {
  const [ada, ben, eve] = [
    await door.person('Ada'),
    await door.person('Ben'),
    await door.person('Eve'),
  ];
  return { ada, ben, eve };
};

describe('[B5] [X1] the mentions beside what is unread', () => {
  it('are those of oneself and of everybody, until they are read', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben, eve);
    await say(room, ada, { text: 'hello' });
    const { seq, messageId } = await say(room, ada, mention(ben));
    await say(room, ada, all);
    await say(room, ada, mention(eve));
    expect(await one(room, ben)).toMatchObject({ unread: 4, mentions: 2 });
    expect(await one(room, eve)).toMatchObject({ unread: 4, mentions: 2 });
    expect(await one(room, ada)).toMatchObject({ unread: 0, mentions: 0 });
    await door.send('POST', `/v1/conversations/${room}/marks`, {
      by: ben,
      json: { kind: 'read', seq },
    });
    expect(await one(room, ben)).toMatchObject({ unread: 2, mentions: 1 });
    await door.send('DELETE', `/v1/conversations/${room}/messages/${messageId}`, { by: ada });
    expect(await one(room, eve)).toMatchObject({ mentions: 2 });
    const { items } = (await door.send('GET', '/v1/conversations', { by: eve })).body;
    expect(items).toMatchObject([{ conversationId: room, mentions: 2 }]);
  });
  it('follow what the message says now', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben, eve);
    const { messageId } = await say(room, ada, mention(ben));
    const path = `/v1/conversations/${room}/messages/${messageId}`;
    await door.send('PATCH', path, { by: ada, json: mention(eve) });
    expect(await one(room, ben)).toMatchObject({ mentions: 0 });
    expect(await one(room, eve)).toMatchObject({ mentions: 1 });
    await door.send('DELETE', path, { by: ada });
    expect(await one(room, eve)).toMatchObject({ mentions: 0 });
  });
  it('are none from before one came', async () => {
    const { ada, ben, eve } = await three();
    const room = await start(ada, ben);
    await say(room, ada, all);
    await door.send('POST', `/v1/conversations/${room}/members`, {
      by: ada,
      json: { members: [eve.userId] },
    });
    await say(room, ada, { text: 'welcome' });
    expect(await one(room, eve)).toMatchObject({ unread: 1, mentions: 0 });
    expect(await one(room, ben)).toMatchObject({ unread: 2, mentions: 1 });
  });
});

describe('[X3] notes to oneself', () => {
  it('are a conversation with oneself, the same however often it is begun', async () => {
    const { ada, ben } = await three();
    await door.send('PATCH', '/v1/me/privacy', { by: ada, json: { writing: 'nobody' } });
    const begin = () =>
      door.send('POST', '/v1/conversations', {
        by: ada,
        json: { kind: 'direct', with: ada.userId },
      });
    const [first, again] = [await begin(), await begin()];
    expect([first.status, again.status]).toEqual([201, 200]);
    const room = String(first.body.conversationId);
    expect(again.body.conversationId).toBe(room);
    await say(room, ada, { text: 'milk' });
    const list = (await door.send('GET', '/v1/conversations', { by: ada })).body.items;
    expect(list).toMatchObject([{ conversationId: room, kind: 'direct', members: 1, unread: 0 }]);
    const asked = () => door.send('GET', `/v1/conversations/${room}/messages`, { by: ben });
    await door.refuses(asked, 404, 'not_found');
  });
});

describe('[C14] the priority of a message', () => {
  it('orders what a new device gets, and neither the conversation nor the list', async () => {
    const { ada, ben } = await three();
    const rooms: string[] = [];
    for (const priority of ['high', 'normal', 'low']) {
      const room = await start(ada, ben);
      rooms.push(room);
      await say(room, ada, { text: 'first', priority: 'low' });
      await say(room, ada, { text: 'second', priority });
    }
    rooms.push(await start(ada, ben));
    const ids = async (path: string, by: Person) =>
      (await door.send('GET', path, { by })).body.items?.map((item) => item.conversationId);
    expect(await ids('/v1/overview', ben)).toEqual(rooms);
    const pages: unknown[] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined;) {
      const query = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await door.send('GET', `/v1/overview?limit=1${query}`, { by: ben });
      pages.push(...(body.items ?? []).map((item) => item.conversationId));
      cursor = body.cursor;
    }
    expect(pages).toEqual(rooms);
    expect(await ids('/v1/conversations', ben)).toEqual(rooms.toReversed());
    const path = `/v1/conversations/${rooms[0]}/messages`;
    const { items = [] } = (await door.send('GET', path, { by: ben })).body;
    expect(items.slice(-2).map(({ data }) => [data?.['text'], data?.['priority']])).toEqual([
      ['first', 'low'],
      ['second', 'high'],
    ]);
  });
});
