import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VIEWS } from '#domain';
import { openDoor, type Body, type Door, type Person } from './door.js';

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
const say = (room: string, by: Person, json: object) =>
  door.send('POST', at(room, '/messages'), { by, json });
const said = async (room: string, by: Person, text: string): Promise<string> =>
  String((await say(room, by, { text })).body.messageId);
const page = async (room: string, by: Person): Promise<NonNullable<Body['items']>> =>
  (await door.send('GET', at(room, '/messages'), { by })).body.items ?? [];
const last = async (room: string, by: Person) => (await page(room, by)).at(-1)?.data ?? {};

describe('A message', () => {
  it('holds entities, media and metadata, and answers another by reference', async () => {
    const room = await start(ada, ben);
    const first = await said(room, ada, 'Look at this, all of you');
    const entities = [
      { type: 'mention', offset: 0, length: 4, userId: ada.userId },
      { type: 'code', offset: 5, length: 4, language: 'ts' },
      { type: 'link', offset: 10, length: 4, url: 'https://example.org/a?b=c' },
      { type: 'all', offset: 15, length: 4 },
    ];
    const media = { ref: 'media:abc', mime: 'image/webp', bytes: 10, width: 4, height: 3 };
    const metadata = { order: 7, tone: 'warm', isUrgent: true };
    const json = { kind: 'image', text: '@Ada x=1; here @all', entities, media, metadata };
    const { status } = await say(room, ben, { ...json, replyTo: first });
    expect(status).toBe(201);
    const { content, ...open } = await last(room, ada);
    expect(open).toMatchObject({
      text: json.text,
      kind: 'image',
      mentions: [ada.userId],
      notify: 'all',
      replyTo: first,
    });
    expect(JSON.parse(String(content))).toEqual({ entities, media, metadata });
  });

  it.each([
    ['location', { location: { latitude: 52.5, longitude: 13.4, name: 'Berlin' } }],
    ['live_location', { location: { latitude: 0, longitude: 180, until: '2030-01-01T00:00:00Z' } }],
    ['contact', { contact: { name: 'Zoe', phones: ['+4930123456'] } }],
    ['voice', { media: { ref: 'v', mime: 'audio/ogg', bytes: 9, durationMs: 800, wave: [1, 2] } }],
    ['document', { media: { ref: 'd', mime: 'application/pdf', bytes: 9, name: 'a.pdf' } }],
  ])('may be a %s without a text', async (kind, part) => {
    const room = await start(ada, ben);
    expect((await say(room, ada, { kind, ...part })).status).toBe(201);
    const { content, ...open } = await last(room, ben);
    expect(open).toMatchObject({ kind, text: '' });
    expect(JSON.parse(String(content))).toEqual(part);
  });

  it.each([
    ['[abuse 12] empty', { text: '' }],
    ['[abuse 12] only white space', { text: ' \u200b\n' }],
    ['a picture without a file', { kind: 'image', text: 'x' }],
    ['a text with a file', { text: 'x', media: { ref: 'm', mime: 'a/b', bytes: 1 } }],
    ['an entity beyond the text', { text: 'x', entities: [{ type: 'all', offset: 0, length: 2 }] }],
    [
      'entities that overlap',
      {
        text: 'abcd',
        entities: [
          { type: 'code', offset: 0, length: 3 },
          { type: 'code', offset: 2, length: 2 },
        ],
      },
    ],
    ['half of a smile', { text: '🙂', entities: [{ type: 'code', offset: 0, length: 1 }] }],
    [
      'a mention of a stranger',
      {
        text: '@Eve',
        entities: [
          {
            type: 'mention',
            offset: 0,
            length: 4,
            userId: '7d9f2f64-1a0c-4d0e-9a3c-5a2c4cf7f001',
          },
        ],
      },
    ],
    [
      'a live location without end',
      { kind: 'live_location', location: { latitude: 0, longitude: 0 } },
    ],
  ])('is not %s', async (_, json) => {
    const room = await start(ada, ben);
    expect(
      (await door.refuses(() => say(room, ada, json), 422, 'invalid')).body.detail,
    ).toBeTruthy();
  });

  it.each([
    [
      'a link that runs code',
      { text: 'x', entities: [{ type: 'link', offset: 0, length: 1, url: 'javascript:alert(1)' }] },
    ],
    ['nothing at all', {}],
    ['metadata with an operator', { text: 'x', metadata: { $where: 'x' } }],
    [
      'too much metadata',
      {
        text: 'x',
        metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, i])),
      },
    ],
    ['[abuse 16] a sender of one’s choice', { text: 'x', senderId: 'x' }],
    ['a quote', { text: 'x', replyTo: { text: 'He never said this' } }],
    ['a place off the globe', { kind: 'location', location: { latitude: 91, longitude: 0 } }],
  ])('does not carry %s', async (_, json) => {
    const room = await start(ada, ben);
    expect((await door.refuses(() => say(room, ada, json), 400, 'bad_request')).status).toBe(400);
  });

  it('[abuse 22] answers only what its author was there for, in the same conversation', async () => {
    const room = await start(ada, ben);
    const elsewhere = await said(await start(ada, eve), ada, 'elsewhere');
    const early = await said(room, ada, 'before Eve');
    await door.send('POST', at(room, '/members'), { by: ada, json: { members: [eve.userId] } });
    for (const replyTo of [elsewhere, early, randomUUID()])
      await door.refuses(() => say(room, eve, { text: 'x', replyTo }), 404, 'not_found');
    expect((await say(room, ben, { text: 'x', replyTo: early })).status).toBe(201);
  });

  it('answers what the read models do not hold yet', async () => {
    const room = await start(ada, ben);
    door.views.paused = true;
    const first = await said(room, ada, 'just now');
    const { status } = await say(room, ada, { text: 'and', replyTo: first });
    door.views.paused = false;
    expect(status).toBe(201);
  });
});

const message = (room: string, id: string, rest = '') => at(room, `/messages/${id}${rest}`);
const edit = (room: string, by: Person, id: string, json: object) =>
  door.send('PATCH', message(room, id), { by, json });
const remove = (room: string, by: Person, id: string) =>
  door.send('DELETE', message(room, id), { by });
const versions = async (room: string, by: Person, id: string): Promise<unknown[]> => {
  const { body } = await door.send('GET', message(room, id, '/versions'), { by });
  return (body.items ?? []).map((version) => Reflect.get(version, 'text'));
};

describe('An edit', () => {
  it('shows the latest text beside the first, and every version on request', async () => {
    const room = await start(ada, ben);
    const id = await said(room, ada, 'one');
    for (const text of ['two', 'three'])
      expect((await edit(room, ada, id, { text })).status).toBe(200);
    const shown = (await page(room, ben)).find(({ type }) => type === 'message.sent');
    expect(shown).toMatchObject({ data: { text: 'one' }, now: { text: 'three' } });
    expect(await versions(room, ben, id)).toEqual(['one', 'two', 'three']);
    const { body } = await door.send('GET', at(room), { by: ben });
    expect(body).toMatchObject({ last: { text: 'three' } });
  });

  it('[abuse 20] is not of another’s message, nor of a deleted one', async () => {
    const room = await start(ada, ben);
    const id = await said(room, ada, 'mine');
    await door.refuses(() => edit(room, ben, id, { text: 'yours' }), 403, 'forbidden');
    await door.refuses(() => edit(room, eve, id, { text: 'yours' }), 404, 'not_found');
    await remove(room, ada, id);
    await door.refuses(() => edit(room, ada, id, { text: 'again' }), 409, 'too_late');
    expect(await versions(room, ben, id)).toEqual([]);
  });

  it('that comes at the same time as another is ordered by the stream', async () => {
    const room = await start(ada, ben);
    const id = await said(room, ada, 'none');
    const texts = Array.from({ length: 8 }, (_, place) => `edit ${place}`);
    await Promise.all(texts.map((text) => edit(room, ada, id, { text })));
    const all = await versions(room, ben, id);
    expect(new Set(all)).toEqual(new Set([...texts, 'none']));
    expect(all).toHaveLength(9);
    const shown = (await page(room, ben)).find(({ type }) => type === 'message.sent');
    expect(shown).toMatchObject({ now: { text: all.at(-1) } });
  });

  it('is not shown to who had left before', async () => {
    const room = await start(ada, ben);
    const id = await said(room, ada, 'while you were here');
    await door.send('POST', at(room, '/leave'), { by: ben, json: {} });
    await edit(room, ada, id, { text: 'after you left' });
    expect(await versions(room, ben, id)).toEqual(['while you were here']);
    expect(JSON.stringify(await page(room, ben))).not.toContain('after you left');
  });
});

describe('A deletion', () => {
  it('leaves nothing of what was said, in any version, to anybody', async () => {
    const room = await start(ada, ben);
    const id = await said(room, ada, 'secret one');
    await edit(room, ada, id, { text: 'secret two' });
    await door.send('PUT', message(room, id, '/saved'), { by: ben, json: {} });
    expect((await remove(room, ada, id)).status).toBe(200);
    expect((await remove(room, ada, id)).status).toBe(200);
    const kept = await door.send('GET', '/v1/me/saved', { by: ben });
    expect(kept.body.items).toMatchObject([{ message: { deleted: true, data: { text: '' } } }]);
    for (const by of [ada, ben]) {
      const facts = await page(room, by);
      expect(JSON.stringify(facts)).not.toContain('secret');
      expect(facts.find(({ type }) => type === 'message.sent')).toMatchObject({ deleted: true });
      expect(facts.filter(({ type }) => type === 'message.deleted')).toHaveLength(1);
      expect(await versions(room, by, id)).toEqual([]);
      const { body } = await door.send('GET', at(room), { by });
      expect(JSON.stringify(body)).not.toContain('secret');
    }
    for (const view of Object.keys(VIEWS))
      expect(JSON.stringify(await door.ports.views.find(view, { filter: {} }))).not.toMatch(
        /secret (one|two)/,
      );
  });

  it('[abuse 20] is by the author or an admin', async () => {
    const room = await start(ada, ben, eve);
    const id = await said(room, ben, 'mine');
    await door.refuses(() => remove(room, eve, id), 403, 'forbidden');
    expect((await remove(room, ada, id)).status).toBe(200);
  });
});
