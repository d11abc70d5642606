import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
let ada: Person;
let ben: Person;
let eve: Person;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' });
});
afterAll(() => door.close());

const start = async (): Promise<string> => {
  [ada, ben, eve] = [await door.person('Ada'), await door.person('Ben'), await door.person('Eve')];
  const json = { kind: 'group', name: 'Choir', members: [ben.userId, eve.userId] };
  const { body } = await door.send('POST', '/v1/conversations', { by: ada, json });
  return String(body.conversationId);
};
const at = (room: string, rest = '') => `/v1/conversations/${room}${rest}`;
const say = async (room: string, by: Person, json: object) =>
  (await door.send('POST', at(room, '/messages'), { by, json })).body;
const read = async (path: string, by: Person, minPosition = '0') =>
  (await door.send('GET', `${path}?minPosition=${minPosition}`, { by })).body;

describe('[C8] A thread', () => {
  it('[X18] is said beside the conversation, and news to those who take part', async () => {
    const room = await start();
    const root = String((await say(room, ada, { text: 'Who sings solo?' })).messageId);
    expect(await read(at(room), eve)).toHaveProperty('unread', 1);
    await say(room, ben, { text: 'I do', thread: root });
    const { position, seq } = await say(room, ben, { text: 'If I may', thread: root });
    expect(await read(at(room), eve, position)).toHaveProperty('unread', 1);
    expect(await read('/v1/me/threads', ada, position)).toMatchObject({
      items: [{ conversationId: room, messageId: root, replies: 2, unread: 2, read: -1 }],
    });
    expect((await read('/v1/me/threads', ben, position)).items).toMatchObject([{ unread: 0 }]);
    expect((await read('/v1/me/threads', eve, position)).items).toEqual([]);
    const thread = at(room, `/messages/${root}/thread`);
    expect(await read(thread, eve, position)).toMatchObject({
      items: [{ data: { text: 'I do', thread: root } }, { data: { text: 'If I may' } }],
      follows: false,
      replies: 2,
    });
    const page = await read(at(room, '/messages'), eve, position);
    const shown = page.items?.find(({ data }) => data?.['messageId'] === root);
    expect(shown).toMatchObject({ thread: { replies: 2, repliers: [ben.userId] } });
    const { body } = await door.send('POST', `${thread}/read`, { by: ada, json: { seq } });
    expect((await read('/v1/me/threads', ada, body.position)).items).toMatchObject([{ unread: 0 }]);
  });

  it('[X18] is followed and left by saying so, and a mark never goes back', async () => {
    const room = await start();
    const root = String((await say(room, ada, { text: 'Who sings solo?' })).messageId);
    const { seq } = await say(room, ben, { text: 'I do', thread: root });
    const thread = at(room, `/messages/${root}/thread`);
    const followed = await door.send('PUT', `${thread}/following`, { by: eve });
    const after = await read('/v1/me/threads', eve, followed.body.position);
    expect(after.items).toMatchObject([{ messageId: root, unread: 1 }]);
    await door.send('POST', `${thread}/read`, { by: eve, json: { seq: 1_000_000 } });
    const before = await door.stored();
    const back = await door.send('POST', `${thread}/read`, { by: eve, json: { seq: 0 } });
    expect([back.status, await door.stored()]).toEqual([200, before]);
    // A mark beyond the end is one at the end: what comes after it is news.
    const { position } = await say(room, ben, { text: 'So I do', thread: root });
    expect((await read('/v1/me/threads', eve, position)).items).toMatchObject([
      { unread: 1, read: seq },
    ]);
    const left = await door.send('DELETE', `${thread}/following`, { by: eve });
    expect((await read('/v1/me/threads', eve, left.body.position)).items).toEqual([]);
  });

  it('hangs on a message that is there, and in no thread itself', async () => {
    const room = await start();
    const root = String((await say(room, ada, { text: 'Who sings solo?' })).messageId);
    const reply = String((await say(room, ben, { text: 'I do', thread: root })).messageId);
    const path = at(room, '/messages');
    const json = { text: 'No, I', thread: reply };
    const { body } = await door.refuses(
      () => door.send('POST', path, { by: eve, json }),
      422,
      'invalid',
    );
    expect(body.detail).toContain('thread');
    const follow = at(room, `/messages/${reply}/thread/following`);
    await door.refuses(() => door.send('PUT', follow, { by: eve }), 422, 'invalid');
  });

  it('[V8] is closed to who was removed, and not on their list any more', async () => {
    const room = await start();
    const root = String((await say(room, ada, { text: 'Who sings solo?' })).messageId);
    await say(room, ben, { text: 'I do', thread: root });
    await door.send('DELETE', at(room, `/members/${ben.userId}`), { by: ada });
    const { position } = await say(room, ada, { text: 'He does not', thread: root });
    expect((await read('/v1/me/threads', ben, position)).items).toEqual([]);
    const page = await read(at(room, `/messages/${root}/thread`), ben, position);
    expect(page.items).toMatchObject([{ data: { text: 'I do' } }]);
    expect(JSON.stringify(page)).not.toContain('He does not');
  });
});

describe('[C11] A message deleted for oneself', () => {
  it('is gone from one’s own history and list, and from nobody else’s', async () => {
    const room = await start();
    const { messageId } = await say(room, ada, { text: 'An awkward thing' });
    const path = at(room, `/messages/${messageId}/hidden`);
    const { status, body } = await door.send('PUT', path, { by: ben });
    expect(status).toBe(200);
    const own = await read(at(room, '/messages'), ben, body.position);
    expect(own.items?.at(-1)).toMatchObject({ type: 'message.sent', hidden: true });
    const list = await read('/v1/conversations', ben, body.position);
    const one = await read(at(room, `/messages/${messageId}`), ben, body.position);
    expect(JSON.stringify([own, list, one])).not.toContain('awkward');
    const others = await read(at(room, '/messages'), eve, body.position);
    expect(JSON.stringify(others)).toContain('awkward');
    const back = await door.send('DELETE', path, { by: ben });
    const again = await read(at(room, '/messages'), ben, back.body.position);
    expect(JSON.stringify(again)).toContain('awkward');
  });

  it('is a message that one may read', async () => {
    const room = await start();
    const { messageId } = await say(room, ada, { text: 'Among us' });
    const stranger = await door.person('Mallory');
    const path = at(room, `/messages/${messageId}/hidden`);
    const { body } = await door.refuses(
      () => door.send('PUT', path, { by: stranger }),
      404,
      'not_found',
    );
    expect(body.detail).toBeTruthy();
  });
});
