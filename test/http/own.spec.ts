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
const around = async (room: string, by: Person, query: string) =>
  (await door.send('GET', `/v1/conversations/${room}/around?${query}`, { by })).body;
const seqs = ({ items = [] }: Body) => items.map((item) => item.seq);
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

describe('[B6] [X46] jumping into a history', () => {
  it('shows what stands around a message, a seq or a time, and how to go on', async () => {
    const { ada, ben } = await both();
    const room = await start(ada, ben);
    const said: Body[] = [];
    for (let count = 0; count < 20; count += 1) said.push(await say(room, ada, `${count}`));
    const messageId = said[10]?.messageId ?? '';
    const path = `/v1/conversations/${room}/messages/${messageId}`;
    const seq = Number(said[10]?.seq);
    const link = (await door.send('GET', path, { by: ben })).body;
    expect(link).toMatchObject({ seq, data: { text: '10' } });
    const wanted = [seq - 2, seq - 1, seq, seq + 1];
    for (const query of [`messageId=${messageId}`, `seq=${seq}`]) {
      const body = await around(room, ben, `${query}&limit=4`);
      expect(seqs(body)).toEqual(wanted);
      expect(body).toMatchObject({ seq, before: String(seq - 2), after: String(seq + 1) });
    }
    const at = new URLSearchParams({ at: String(link.at) }).toString();
    const { items = [] } = await around(room, ben, `${at}&limit=100`);
    const first = items.find((item) => String(item.at) >= String(link.at));
    expect(await around(room, ben, at)).toMatchObject({ seq: first?.seq });
    expect(await around(room, ben, 'at=2000-01-01T00:00:00Z')).toMatchObject({ seq: 0 });
    const end = await around(room, ben, 'at=2100-01-01T00:00:00Z&limit=2');
    expect(seqs(end)).toEqual([said.at(-1)?.seq]);
  });
  it('[abuse 12] shows nothing of what one was not there for', async () => {
    const { ada, ben } = await both();
    const room = await start(ada);
    const { messageId = '' } = await say(room, ada, 'before');
    const path = (id: string) => `/v1/conversations/${room}/messages/${id}`;
    await door.refuses(() => door.send('GET', path(messageId), { by: ben }), 404, 'not_found');
    await door.send('POST', `/v1/conversations/${room}/members`, {
      by: ada,
      json: { members: [ben.userId] },
    });
    await door.refuses(() => door.send('GET', path(messageId), { by: ben }), 404, 'not_found');
    const { text } = await door.send('GET', `/v1/conversations/${room}/around?seq=1`, { by: ben });
    expect(text).not.toContain('before"');
    for (const query of ['', '?seq=1&at=2000-01-01T00:00:00Z', '?seq=-1', '?at=yesterday'])
      await door.refuses(
        () => door.send('GET', `/v1/conversations/${room}/around${query}`, { by: ben }),
        400,
        'bad_request',
      );
  });
});
