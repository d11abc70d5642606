import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OverviewItem } from '#client';
import {
  newDevice,
  newPerson,
  startPlatform,
  textsOf,
  until,
  type Device,
  type Platform,
} from '#testing';

let platform: Platform;
let ada: Device;
let ben: Device;

beforeAll(async () => {
  platform = await startPlatform();
  [ada, ben] = [
    await newPerson({ url: platform.url }, 'Ada'),
    await newPerson({ url: platform.url }, 'Ben'),
  ];
}, 60_000);
afterAll(async () => {
  await Promise.all([ada, ben].map(({ client }) => client.close()));
  await platform.stop();
});

const groupOf = async (name: string): Promise<string> =>
  (await ada.client.startGroup({ name, members: [ben.client.userId] })).conversationId;

const all = async (device: Device, extent: object = {}): Promise<readonly OverviewItem[]> => {
  const items: OverviewItem[] = [];
  for await (const page of device.client.overview(extent)) items.push(...page);
  return items;
};

it('[D20] [D23] shows what matters first: the open conversation, then unread, then by activity', async () => {
  const open = await groupOf('Open');
  const unread = await groupOf('Unread');
  const read = await groupOf('Read');
  for (const conversationId of [open, unread, read]) {
    const { seq } = await ada.client.send(conversationId, 'Hello');
    await until(() => textsOf(ben.facts, conversationId).length === 1);
    if (conversationId !== unread) await ben.client.markRead(conversationId, seq);
  }
  const { position } = await ben.client.markRead(open, 2);
  const tablet = await newDevice({ url: platform.url }, { phone: ben.phone });
  const extent = { open, limit: 1, facts: 2, members: 1, minPosition: position };
  const items = await all(tablet, extent);
  const shown = items.map(({ conversationId }) => conversationId);
  expect(shown.slice(0, 3)).toEqual([open, unread, read]);
  expect(new Set(shown).size).toBe(shown.length);
  const [first] = items;
  expect(first?.recent.items.map(({ type }) => type)).toEqual(['members.added', 'message.sent']);
  expect(first?.people.items).toHaveLength(1);
  expect(first?.people.cursor).toBeDefined();
  await tablet.client.close();
});

it('[D23] [V4] has everything between that and what comes live, and nothing twice', async () => {
  const conversationId = await groupOf('Busy');
  const said = Array.from({ length: 120 }, (_, at) => `message ${at}`);
  const talking = (async () => {
    for (const text of said) await ada.client.send(conversationId, text);
  })();
  const tablet = await newDevice({ url: platform.url }, { phone: ben.phone });
  await tablet.client.connect();
  const items = await all(tablet, { facts: 100 });
  await talking;
  const last = said.at(-1);
  await until(() => textsOf(tablet.facts, conversationId).at(-1) === last);
  const recent = items.find((item) => item.conversationId === conversationId)?.recent.items ?? [];
  const oldest = recent[0]?.seq ?? 0;
  const live = tablet.facts.filter((fact) => fact.conversationId === conversationId);
  const seqs = new Set([...recent, ...live].map(({ seq }) => seq));
  const head = live.at(-1)?.seq ?? 0;
  expect([...seqs].toSorted((one, other) => one - other)).toEqual(
    Array.from({ length: head - oldest + 1 }, (_, at) => oldest + at),
  );
  expect(new Set(live.map(({ seq }) => seq)).size).toBe(live.length);
  await tablet.client.close();
});

it('[D19] comes packed to who takes it so, and answers with secrets do not', async () => {
  const conversationId = await groupOf('Long');
  for (let at = 0; at < 50; at += 1)
    await ada.client.send(conversationId, 'again and again '.repeat(8));
  const phone = await newDevice({ url: platform.url }, { phone: ada.phone });
  const { requestId } = await phone.client.requestCode(ada.phone);
  const { accessToken } = await phone.client.login({ requestId, code: '123456' });
  const get = async (path: string, encoding: string): Promise<Response> =>
    fetch(`${platform.url.rest}${path}`, {
      headers: { authorization: `Bearer ${accessToken}`, 'accept-encoding': encoding },
    });
  const packed = await get('/v1/overview?facts=100', 'gzip');
  expect(packed.headers.get('content-encoding')).toBe('gzip');
  const plain = await get('/v1/overview?facts=100', 'identity');
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(await packed.json()).toEqual(await plain.json());
  expect((await get('/v1/me/devices', 'gzip')).headers.get('content-encoding')).toBeNull();
  await phone.client.close();
});
