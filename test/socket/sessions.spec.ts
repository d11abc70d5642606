import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { MemoryStorage, Scripta, type Notice } from '#client';
import {
  newDevice,
  newPerson,
  startPlatform,
  textsOf,
  until,
  type Device,
  type Platform,
} from '#testing';

/** Short, so that tokens are changed many times in one test. */
const TOKEN_S = 3;

let platform: Platform;
const devices: Device[] = [];

const another = async ({ phone }: Device): Promise<Device> => {
  const device = await newDevice({ url: platform.url }, { phone });
  devices.push(device);
  await device.client.connect();
  return device;
};
const person = async (name: string): Promise<Device> => {
  const device = await newPerson({ url: platform.url }, name);
  devices.push(device);
  return device;
};

beforeAll(async () => {
  platform = await startPlatform({ env: { ACCESS_TOKEN_TTL_S: String(TOKEN_S) } });
}, 60_000);
afterAll(async () => {
  await Promise.all(devices.map(({ client }) => client.close()));
  await platform.stop();
});

it('[A8] changes tokens by itself, without a break in what arrives', async () => {
  const [ada, ben] = [await person('Ada'), await person('Ben')];
  const states: string[] = [];
  ben.client.on('state', (state) => states.push(state));
  const { conversationId } = await ada.client.startDirect(ben.client.userId);
  const said = Array.from({ length: 8 }, (_, at) => `${at}`);
  for (const text of said) {
    await ada.client.send(conversationId, text);
    await sleep((TOKEN_S * 1_000) / 4);
  }
  await until(() => textsOf(ben.facts, conversationId).length === said.length);
  expect(textsOf(ben.facts, conversationId)).toEqual(said);
  expect(states).toEqual([]);
  expect((await ben.client.history(conversationId)).items.length).toBeGreaterThan(said.length);
}, 30_000);

it('[A8] comes back with a new token after having been away for longer than the old one lived', async () => {
  const storage = new MemoryStorage();
  const ada = await newDevice({ url: platform.url, storage });
  await sleep(TOKEN_S * 1_000 + 1_500);
  const later = new Scripta({ url: platform.url, storage });
  await later.connect();
  expect(later.userId).toBe(ada.client.userId);
  await later.close();
}, 30_000);

it('[V18] [A12] closes the socket of a session that is ended, and tells the other devices', async () => {
  const ada = await person('Ada');
  const notices: Notice[] = [];
  ada.client.on('account', (notice) => notices.push(notice));
  const tablet = await another(ada);
  await until(() => notices.some(({ type }) => type === 'session.started'));
  const refused = new Promise((resolve) => {
    tablet.client.on('refused', resolve);
  });
  const { deviceId } = tablet.client;
  await ada.client.account.removeDevice(deviceId);
  expect(await refused).toMatchObject({ code: 'unauthorized' });
  await expect(tablet.client.me()).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(tablet.client.connect()).rejects.toMatchObject({ code: 'unauthorized' });
  await until(() => notices.some(({ type }) => type === 'device.removed'));
  expect(ada.client.state).toBe('live');
}, 30_000);

it('[V18] refuses an ended session also after a restart of what refused it', async () => {
  const ada = await person('Ada');
  const tablet = await another(ada);
  await tablet.client.close();
  await ada.client.account.removeDevice(tablet.client.deviceId);
  for (const name of ['command-api', 'realtime'] as const) {
    await platform.kill(name);
    await platform.start(name);
  }
  await expect(tablet.client.me()).rejects.toMatchObject({ code: 'unauthorized' });
  await expect(tablet.client.connect()).rejects.toMatchObject({ code: 'unauthorized' });
}, 60_000);

it('[A4] logs out: here at once, and for the server', async () => {
  const storage = new MemoryStorage();
  const { client } = await newDevice({ url: platform.url, storage });
  await client.connect();
  await client.logout();
  expect(client.state).toBe('closed');
  await expect(client.connect()).rejects.toMatchObject({ code: 'unauthorized' });
});
