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

const start = async (by: Person, ...others: readonly Person[]): Promise<string> => {
  const json = { kind: 'group', name: 'Choir', members: others.map(({ userId }) => userId) };
  return String((await door.send('POST', '/v1/conversations', { by, json })).body.conversationId);
};
const at = (room: string, rest = '') => `/v1/conversations/${room}${rest}`;
const said = async (room: string, by: Person, json: object): Promise<string> =>
  String((await door.send('POST', at(room, '/messages'), { by, json })).body.messageId);
const pinIn = (room: string, message: string) => at(room, `/messages/${message}/pin`);
const pins = async (room: string, by: Person, minPosition = '0') => {
  const path = at(room, `/pins?minPosition=${minPosition}`);
  return (await door.send('GET', path, { by })).body.items;
};
const pass = (by: Person, to: string, from: string, messageId: string) =>
  door.send('POST', at(to, '/forwards'), {
    by,
    json: { from: { conversationId: from, messageId } },
  });
const last = async (room: string, by: Person) =>
  (await door.send('GET', at(room, '/messages'), { by })).body.items?.at(-1);

describe('[X2] Pinned messages', () => {
  it('are shown with the latest pin first, until they are taken down or deleted', async () => {
    const room = await start(ada, ben);
    const [one, two, three] = [
      await said(room, ben, { text: 'One' }),
      await said(room, ben, { text: 'Two' }),
      await said(room, ben, { text: 'Three' }),
    ];
    for (const message of [one, two, three]) {
      const { status } = await door.send('PUT', pinIn(room, message), { by: ada });
      expect(status).toBe(200);
    }
    await door.send('DELETE', pinIn(room, three), { by: ada });
    const before = await door.stored();
    const { body } = await door.send('PUT', pinIn(room, two), { by: ada });
    expect(await door.stored()).toBe(before);
    expect(await pins(room, ben, body.position)).toMatchObject([
      { messageId: two, pinnedBy: ada.userId, message: { data: { text: 'Two' } } },
      { messageId: one },
    ]);
    const gone = await door.send('DELETE', at(room, `/messages/${two}`), { by: ben });
    expect(await pins(room, ben, gone.body.position)).toMatchObject([{ messageId: one }]);
    const list = await door.send('GET', at(room), { by: ben });
    expect(list.body).not.toHaveProperty('pins');
  });

  it('are hidden from who came after they were said', async () => {
    const room = await start(ada, ben);
    await door.send('PUT', pinIn(room, await said(room, ada, { text: 'Old' })), { by: ada });
    const json = { members: [eve.userId] };
    const { body } = await door.send('POST', at(room, '/members'), { by: ada, json });
    expect(await pins(room, eve, body.position)).toEqual([]);
    await door.refuses(
      () => door.send('PUT', pinIn(room, '7d9f2f64-1a0c-4d0e-9a3c-5a2c4cf7f001'), { by: ada }),
      404,
      'not_found',
    );
  });
});

describe('[C9] Passing on', () => {
  it('says whose words they are, in their latest version, and how often it was done', async () => {
    const [from, to, on] = [await start(ada, ben), await start(ben, eve), await start(eve, ada)];
    const entities = [
      { type: 'mention', offset: 0, length: 4, userId: ben.userId },
      { type: 'code', offset: 5, length: 2 },
    ];
    const first = await said(from, ada, { text: '@Ben hy' });
    const edit = { text: '@Ben hi', entities, metadata: { tone: 'warm' } };
    await door.send('PATCH', at(from, `/messages/${first}`), { by: ada, json: edit });
    const { status, body } = await pass(ben, to, from, first);
    expect(status).toBe(201);
    const passed = await last(to, eve);
    expect(passed).toMatchObject({ actor: ben.userId });
    const { content, ...data } = passed?.data ?? {};
    expect(data).toMatchObject({ text: '@Ben hi', author: ada.userId, forwards: 1 });
    expect(data).not.toHaveProperty('mentions');
    expect(JSON.parse(String(content))).toEqual({
      entities: [entities[1]],
      metadata: edit.metadata,
    });
    await pass(eve, on, to, String(body.messageId));
    expect((await last(on, ada))?.data).toMatchObject({ author: ada.userId, forwards: 2 });
    const path = at(to, `/messages/${body.messageId}`);
    const json = { text: 'Other words in her mouth' };
    await door.refuses(() => door.send('PATCH', path, { by: ben, json }), 403, 'forbidden');
  });

  it('[abuse 22] is not possible from where one may not read, nor is answering it', async () => {
    const [from, to] = [await start(ada, ben), await start(eve)];
    const message = await said(from, ada, { text: 'Among us' });
    const { body } = await door.refuses(() => pass(eve, to, from, message), 404, 'not_found');
    expect(JSON.stringify(body)).not.toContain('Among us');
    await door.refuses(() => pass(ada, to, from, message), 404, 'not_found');
    const json = { text: 'What?', replyTo: message };
    await door.refuses(
      () => door.send('POST', at(to, '/messages'), { by: eve, json }),
      404,
      'not_found',
    );
  });

  it('is not possible with what was taken back', async () => {
    const [from, to] = [await start(ada, ben), await start(ben)];
    const message = await said(from, ada, { text: 'Forget it' });
    await door.send('DELETE', at(from, `/messages/${message}`), { by: ada });
    const { body } = await door.refuses(() => pass(ben, to, from, message), 404, 'not_found');
    expect(JSON.stringify(body)).not.toContain('Forget');
  });

  it('has a limit, and a narrower one for what goes round', async () => {
    const strict = await openDoor();
    const one = await strict.person('One');
    const started = async (by: Person) => {
      const json = { kind: 'group', name: 'x', members: [] };
      return String(
        (await strict.send('POST', '/v1/conversations', { by, json })).body.conversationId,
      );
    };
    const room = await started(one);
    let message = String(
      (await strict.send('POST', at(room, '/messages'), { by: one, json: { text: 'Chain' } })).body
        .messageId,
    );
    const passOn = () =>
      strict.send('POST', at(room, '/forwards'), {
        by: one,
        json: { from: { conversationId: room, messageId: message } },
      });
    for (let hands = 0; hands < 6; hands += 1) {
      const { status, body } = await passOn();
      expect(status).toBe(201);
      message = String(body.messageId);
    }
    const { status, body } = await passOn();
    expect([status, body.code]).toEqual([429, 'rate_limited']);
    await strict.close();
  });
});

describe('An edit', () => {
  it.each([
    ['a picture of a text', {}, { media: { ref: 'm', mime: 'image/png', bytes: 1 } }],
    [
      'a text of a place',
      { kind: 'location', location: { latitude: 1, longitude: 1 } },
      { text: 'Here' },
    ],
  ])('does not make %s', async (_, parts, json) => {
    const room = await start(ada, ben);
    const message = await said(room, ada, { text: 'x', ...parts });
    const path = at(room, `/messages/${message}`);
    const edit = () => door.send('PATCH', path, { by: ada, json });
    expect((await door.refuses(edit, 422, 'invalid')).body.detail).toContain('kind');
  });
});
