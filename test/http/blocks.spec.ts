import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDoor, type Door, type Person } from './door.js';

let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' });
});
afterAll(() => door.close());

const start = (by: Person, other: Person) =>
  door.send('POST', '/v1/conversations', { by, json: { kind: 'direct', with: other.userId } });
const say = (by: Person, conversationId: string, key: string = randomUUID()) =>
  door.send('POST', `/v1/conversations/${conversationId}/messages`, {
    by,
    json: { text: 'Hello' },
    headers: { 'Idempotency-Key': key },
  });
const blocking = (method: 'PUT' | 'DELETE', by: Person, other: Person) =>
  door.send(method, `/v1/me/blocks/${other.userId}`, { by });
const two = () => Promise.all([door.person('Ada'), door.person('Ben')]);
const talking = async () => {
  const [ada, ben] = await two();
  const { body } = await start(ada, ben);
  return { ada, ben, conversationId: body.conversationId ?? '' };
};
const refused = { status: 403, body: { code: 'forbidden' } };

describe('A person who is blocked', () => {
  it('[A15] writes no more to who blocked them, nor these to them, until they are unblocked', async () => {
    const { ada, ben, conversationId } = await talking();
    expect((await say(ben, conversationId)).status).toBe(201);
    await blocking('PUT', ada, ben);
    expect(await say(ben, conversationId)).toMatchObject(refused);
    expect(await say(ada, conversationId)).toMatchObject(refused);
    await blocking('DELETE', ada, ben);
    expect((await say(ben, conversationId)).status).toBe(201);
  });

  it('[A15] gets the first answer again to what was taken before', async () => {
    const { ada, ben, conversationId } = await talking();
    const key = randomUUID();
    const first = await say(ben, conversationId, key);
    await blocking('PUT', ada, ben);
    const again = await say(ben, conversationId, key);
    expect([again.status, again.body.messageId]).toEqual([200, first.body.messageId]);
  });

  it('[A15] begins no conversation, but still finds the one there was, and reads it', async () => {
    const [ada, ben] = await two();
    await blocking('PUT', ada, ben);
    await door.refuses(() => start(ben, ada), 403, 'forbidden');
    const { ada: eve, ben: joe, conversationId } = await talking();
    await say(eve, conversationId);
    await blocking('PUT', eve, joe);
    expect((await start(joe, eve)).body.conversationId).toBe(conversationId);
    const history = await door.send('GET', `/v1/conversations/${conversationId}/messages`, {
      by: joe,
    });
    expect(history.body.items?.some(({ type }) => type === 'message.sent')).toBe(true);
  });

  it('[A15] is told nothing of it: no fact of the conversation says so', async () => {
    const { ada, ben, conversationId } = await talking();
    const read = async () =>
      (await door.ports.store.read(`conversation-${conversationId}`, 0, 100)).length;
    const before = await read();
    await blocking('PUT', ada, ben);
    expect(await read()).toBe(before);
  });
});

describe('A person', () => {
  it('[A16] who lets nobody write to them is not written to first, but answered', async () => {
    const { ada, ben, conversationId } = await talking();
    const eve = await door.person('Eve');
    await door.send('PATCH', '/v1/me/privacy', { by: ada, json: { writing: 'nobody' } });
    await door.refuses(() => start(eve, ada), 403, 'forbidden');
    expect((await say(ben, conversationId)).status).toBe(201);
    expect((await start(ada, eve)).status).toBe(201);
  });

  it('[A17] who is away is not written to until they log in again', async () => {
    const { ada, ben, conversationId } = await talking();
    await door.send('POST', '/v1/me/deactivate', { by: ada, json: {} });
    expect(await say(ben, conversationId)).toMatchObject(refused);
    const asked = await door.send('POST', '/v1/auth/codes', { json: { phone: ada.phone } });
    const code = door.sender.sent.get(ada.phone);
    const device = { name: 'phone', platform: 'web' };
    const json = { requestId: asked.body.requestId, code, device };
    expect((await door.send('POST', '/v1/auth/tokens', { json })).status).toBe(200);
    expect((await say(ben, conversationId)).status).toBe(201);
  });
});
