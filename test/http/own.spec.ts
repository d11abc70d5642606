import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PINNED_MAX } from '#domain';
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
const say = async (room: string, by: Person, text: string): Promise<Body> =>
  (await door.send('POST', `/v1/conversations/${room}/messages`, { by, json: { text } })).body;
const arrange = (room: string, by: Person, json: object) =>
  door.send('PATCH', `/v1/conversations/${room}/arrangement`, { by, json });
const one = async (room: string, by: Person) =>
  (await door.send('GET', `/v1/conversations/${room}`, { by })).body;
const saved = (room: string, message: string) =>
  `/v1/conversations/${room}/messages/${message}/saved`;
const both = async () => ({ ada: await door.person('Ada'), ben: await door.person('Ben') });

describe('[B7] [B8] [X19] [X20] arranging a conversation', () => {
  it('shows in the list of who did it, and in nobody else’s', async () => {
    const { ada, ben } = await both();
    const room = await start(ada, ben);
    const mutedUntil = '2030-01-01T00:00:00.000Z';
    const given = { mutedUntil, archived: true, pinned: true, markedUnread: true };
    const more = { folders: ['Music'], settings: { wallpaper: 'blue', size: 3 } };
    expect((await arrange(room, ada, { ...given, ...more })).status).toBe(200);
    expect(await one(room, ada)).toMatchObject({ ...given, ...more });
    expect(await one(room, ben)).toMatchObject({ archived: false, folders: [], settings: {} });
    await arrange(room, ada, { archived: false, settings: { size: null } });
    expect(await one(room, ada)).toMatchObject({
      ...given,
      archived: false,
      settings: { wallpaper: 'blue' },
    });
  });
  it('is read by a device that was away from where it stood', async () => {
    const { ada, ben } = await both();
    const [first, second] = [await start(ada, ben), await start(ada, ben)];
    const { body } = await arrange(first, ada, { pinned: true });
    await arrange(second, ada, { pinned: true });
    const path = `/v1/me/arrangements?cursor=${body.position}`;
    const { items } = (await door.send('GET', path, { by: ada })).body;
    expect(items?.map(({ conversationId }) => conversationId)).toEqual([second]);
    expect((await door.send('GET', '/v1/me/arrangements', { by: ben })).body.items).toEqual([]);
  });
  it('costs one event however many members there are, and none for a message', async () => {
    const { ada, ben } = await both();
    const room = await start(ada, ben);
    const before = await door.stored();
    await arrange(room, ada, { archived: true });
    expect(await door.stored()).toBe(before + 1);
    await say(room, ben, 'hello');
    expect(await door.stored()).toBe(before + 2);
  });
  it('is refused where one is not, or for a pin too many', async () => {
    const { ada, ben } = await both();
    const room = await start(ben);
    await door.refuses(() => arrange(room, ada, { pinned: true }), 404, 'not_found');
    await door.refuses(() => arrange(randomUUID(), ada, { pinned: true }), 404, 'not_found');
    await door.refuses(() => arrange(room, ben, {}), 400, 'bad_request');
    for (let pinned = 0; pinned < PINNED_MAX; pinned += 1)
      await arrange(await start(ada), ada, { pinned: true });
    const more = await start(ada);
    await door.refuses(() => arrange(more, ada, { pinned: true }), 413, 'too_large');
    expect(await one(more, ada)).toMatchObject({ pinned: false });
  }, 30_000);
});

describe('[X3] saved messages', () => {
  it('are found again, newest first, with a note, until they are taken out', async () => {
    const { ada, ben } = await both();
    const room = await start(ada, ben);
    const ids = [await say(room, ben, 'one'), await say(room, ben, 'two')].map(
      ({ messageId = '' }) => messageId,
    );
    for (const id of ids)
      await door.send('PUT', saved(room, id), { by: ada, json: { note: 'mine' } });
    const list = async () => (await door.send('GET', '/v1/me/saved', { by: ada })).body.items;
    expect(await list()).toMatchObject([
      { messageId: ids[1], note: 'mine', message: { data: { text: 'two' } } },
      { messageId: ids[0], message: { data: { text: 'one' } } },
    ]);
    await door.send('DELETE', saved(room, ids[1] ?? ''), { by: ada });
    expect(await list()).toMatchObject([{ messageId: ids[0] }]);
    expect((await door.send('GET', '/v1/me/saved', { by: ben })).body.items).toEqual([]);
  });
  it('are not a way to read what one may not', async () => {
    const { ada, ben } = await both();
    const room = await start(ben);
    const { messageId = '' } = await say(room, ben, 'secret');
    const save = (id: string) => door.send('PUT', saved(id, messageId), { by: ada, json: {} });
    await door.refuses(() => save(room), 404, 'not_found');
    const mine = await start(ada);
    await door.refuses(() => save(mine), 404, 'not_found');
    expect((await door.send('GET', '/v1/me/saved', { by: ada })).body.items).toEqual([]);
  });
});
