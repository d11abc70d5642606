import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Drafts, DRAFTS_MAX, SetDraft, type KeptDraft } from '#commands';
import { openDoor, type Door, type Person } from './door.js';
import { eraseFromOperations } from '../../tools/erase/erasers.js';

let door: Door;
beforeAll(async () => {
  door = await openDoor({ RATE_LIMIT_COMMANDS: 'false' });
});
afterAll(() => door.close());

const start = async (by: Person, ...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  return String((await door.send('POST', '/v1/conversations', { by, json })).body.conversationId);
};
const write = (room: string, by: Person, json: object) =>
  door.send('PUT', `/v1/conversations/${room}/draft`, { by, json });
const drafts = async (by: Person, query = '') =>
  (await door.send('GET', `/v1/me/drafts${query}`, { by })).body;

describe('[X4] a draft', () => {
  it('is there for all of a person’s devices, and for nobody else', async () => {
    const [ada, ben] = [await door.person('Ada'), await door.person('Ben')];
    const room = await start(ada, ben);
    const entities = [{ type: 'mention', offset: 0, length: 4, userId: ben.userId }];
    const before = await door.stored();
    await write(room, ada, { text: '@Ben, I ', entities });
    await write(room, ada, { text: '@Ben, I have ', entities });
    expect((await drafts(ada)).items).toMatchObject([
      { conversationId: room, by: ada.deviceId, draft: { text: '@Ben, I have ', entities } },
    ]);
    expect((await drafts(ben)).items).toEqual([]);
    expect(await door.stored()).toBe(before);
  });
  it('is gone when it is cleared, or when nothing is left of it', async () => {
    const ada = await door.person('Ada');
    const [one, two] = [await start(ada), await start(ada)];
    await write(one, ada, { text: 'x' });
    await write(two, ada, { text: 'y' });
    await door.send('DELETE', `/v1/conversations/${one}/draft`, { by: ada });
    await write(two, ada, { text: '' });
    expect((await drafts(ada)).items).toEqual([]);
  });
  it('is sealed where it is kept, and goes with its person', async () => {
    const [ada, ben] = [await door.person('Ada'), await door.person('Ben')];
    for (const one of [ada, ben]) await write(await start(one), one, { text: 'canary' });
    const kept = () => door.ports.operations.find<KeptDraft>('drafts', { filter: {} });
    expect(JSON.stringify(await kept())).not.toContain('canary');
    await eraseFromOperations(door.ports, { userId: ada.userId, phoneClaim: undefined });
    expect((await kept()).map(({ userId }) => userId)).not.toContain(ada.userId);
    expect((await drafts(ben)).items).toMatchObject([{ draft: { text: 'canary' } }]);
  });
  it('is refused where one is not, and where it is no message', async () => {
    const [ada, ben] = [await door.person('Ada'), await door.person('Ben')];
    const room = await start(ben);
    await door.refuses(() => write(room, ada, { text: 'x' }), 404, 'not_found');
    await door.refuses(() => write(room, ben, { texts: 'x' }), 400, 'bad_request');
    await door.refuses(() => write(room, ben, { text: 'x'.repeat(65_537) }), 413, 'too_large');
    for (const one of [ada, ben]) expect((await drafts(one)).items).toEqual([]);
  });
  it('makes room for the newest: there are only so many', async () => {
    const ada = await door.person('Ada');
    const kept = door.app.get(Drafts);
    for (let count = 0; count <= DRAFTS_MAX; count += 1) {
      const id = `00000000-0000-4000-8000-${String(count).padStart(12, '0')}`;
      const at = door.ports.clock.iso();
      const meta = { commandId: id, eventId: id, actor: ada.userId, at, correlationId: id };
      await kept.set(new SetDraft({ conversationId: id, draft: { text: `${count}` } }, meta));
    }
    const { items = [], cursor } = await drafts(ada, '?limit=200');
    expect(items.length).toBe(DRAFTS_MAX);
    expect((await drafts(ada, `?cursor=${cursor}`)).items).toEqual([]);
  });
});
