import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let eve: Person;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' });
  [ada, ben, eve] = [await door.person('Ada'), await door.person('Ben'), await door.person('Eve')];
});
afterAll(() => door.close());

const start = async (...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
  return String(body.conversationId);
};
const said = async (room: string, by = ada): Promise<string> => {
  const path = `/v1/conversations/${room}/messages`;
  const { body } = await door.send('POST', path, { by, json: { text: 'Tonight at eight?' } });
  return String(body.messageId);
};
const at = (room: string, message: string, rest = '/reaction') =>
  `/v1/conversations/${room}/messages/${message}${rest}`;
const react = (by: Person, path: string, emoji: string) =>
  door.send('PUT', path, { by, json: { emoji } });
const shown = async (by: Person, room: string, message: string, minPosition = '0') => {
  const path = `/v1/conversations/${room}/messages?minPosition=${minPosition}`;
  const { items = [] } = (await door.send('GET', path, { by })).body;
  return items.find(({ data }) => data?.['messageId'] === message);
};

describe('[C12] A reaction', () => {
  it('is one emoji per person, shown by count, with who chose it by page', async () => {
    const room = await start(ben, eve);
    const message = await said(room);
    for (const by of [ada, ben]) await react(by, at(room, message), '👍');
    await react(eve, at(room, message), '👍');
    const { status, body } = await react(eve, at(room, message), '🇪🇺');
    expect(status).toBe(200);
    expect(await shown(eve, room, message, body.position)).toMatchObject({
      reactions: {
        counts: [
          { emoji: '👍', count: 2 },
          { emoji: '🇪🇺', count: 1 },
        ],
        mine: '🇪🇺',
      },
    });
    const read = async (cursor?: string) => {
      const query = `?limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`;
      return (await door.send('GET', at(room, message, `/reactions${query}`), { by: ben })).body;
    };
    const first = await read();
    const second = await read(first.cursor);
    const people = [ada, ben, eve].map(({ userId }) => userId).toSorted();
    expect([...(first.items ?? []), ...(second.items ?? [])]).toMatchObject(
      people.map((userId) => ({ userId, emoji: userId === eve.userId ? '🇪🇺' : '👍' })),
    );
    expect(second.cursor).toBeUndefined();
  });

  it('[abuse 21] given twice is one, and costs the log nothing', async () => {
    const room = await start(ben);
    const message = await said(room);
    await react(ben, at(room, message), '❤');
    const before = await door.stored();
    // The heart as a picture and as a plain character are one.
    const again = await react(ben, at(room, message), '❤️');
    expect([again.status, await door.stored()]).toEqual([200, before]);
    expect(await shown(ada, room, message, again.body.position)).toMatchObject({
      reactions: { counts: [{ emoji: '❤️', count: 1 }] },
    });
  });

  it.each([
    ['1 kB', '👍'.repeat(256)],
    ['two emoji', '👍👍'],
    ['a word', 'lol'],
    ['nothing', ''],
    ['what hides', '\u200b'],
  ])('[abuse 21] is not %s', async (_, emoji) => {
    const room = await start(ben);
    const path = at(room, await said(room));
    const { body } = await door.refuses(() => react(ben, path, emoji), 422, 'invalid');
    expect(body.detail).toContain('one emoji');
  });

  it('is taken away, twice if need be, and is gone with its message', async () => {
    const room = await start(ben);
    const message = await said(room);
    await react(ben, at(room, message), '🎉');
    await door.send('DELETE', at(room, message), { by: ben });
    const { status, body } = await door.send('DELETE', at(room, message), { by: ben });
    expect(status).toBe(200);
    const fact = await shown(ada, room, message, body.position);
    expect(fact).not.toHaveProperty('reactions');
    await react(ben, at(room, message), '🎉');
    const gone = await door.send('DELETE', at(room, message, ''), { by: ada });
    const deleted = await shown(ben, room, message, gone.body.position);
    expect(deleted).toMatchObject({ deleted: true });
    expect(deleted).not.toHaveProperty('reactions');
    await door.refuses(() => react(ben, at(room, message), '🎉'), 404, 'not_found');
  });

  it('[V10] is not for who is not there, was not there, or is there no more', async () => {
    const room = await start(ben);
    const message = await said(room);
    await door.refuses(() => react(eve, at(room, message), '🎉'), 404, 'not_found');
    const json = { members: [eve.userId] };
    await door.send('POST', `/v1/conversations/${room}/members`, { by: ada, json });
    await door.refuses(() => react(eve, at(room, message), '🎉'), 404, 'not_found');
    await door.send('DELETE', `/v1/conversations/${room}/members/${ben.userId}`, { by: ada });
    await door.refuses(() => react(ben, at(room, message), '🎉'), 404, 'not_found');
    // Nor is it shown to who had left before.
    const { body } = await react(ada, at(room, message), '🎉');
    const fact = await shown(ben, room, message, body.position);
    expect(fact).toBeDefined();
    expect(fact).not.toHaveProperty('reactions');
    const list = await door.send('GET', at(room, message, '/reactions'), { by: ben });
    expect(list.body.items).toEqual([]);
  });

  it('is not for who was blocked', async () => {
    const json = { kind: 'direct', with: ben.userId };
    const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
    const room = String(body.conversationId);
    const message = await said(room);
    await door.send('PUT', `/v1/me/blocks/${ben.userId}`, { by: ada });
    const { body: refused } = await door.refuses(
      () => react(ben, at(room, message), '🎉'),
      403,
      'forbidden',
    );
    expect(refused.detail).not.toContain('block');
    await door.send('DELETE', `/v1/me/blocks/${ben.userId}`, { by: ada });
  });
});
