import { afterAll, beforeAll, expect, it } from 'vitest';
import type { OwnNotice } from '#client';
import { newDevice, newPerson, startPlatform, until, type Device, type Platform } from '#testing';

let platform: Platform;
const devices: Device[] = [];

beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(async () => {
  await Promise.all(devices.map(({ client }) => client.close()));
  await platform.stop();
});

const person = async (name: string) => {
  const device = await newPerson({ url: platform.url }, name);
  devices.push(device);
  return heardBy(device);
};
const another = async ({ phone }: Device) => {
  const device = await newDevice({ url: platform.url }, { phone });
  devices.push(device);
  await device.client.connect();
  return heardBy(device);
};
const heardBy = (device: Device) => {
  const notices: OwnNotice[] = [];
  device.client.on('own', (notice) => notices.push(notice));
  return { ...device, notices };
};

it('[X4] a draft is told to the person’s other devices, by either door, and to nobody else', async () => {
  const [ada, ben] = [await person('Ada'), await person('Ben')];
  const tablet = await another(ada);
  const { conversationId } = await ada.client.startDirect(ben.client.userId);
  await ada.client.lists.setDraft(conversationId, { text: 'Dear B' });
  const by = ada.client.deviceId;
  await until(() => tablet.notices.length === 1);
  expect(tablet.notices).toMatchObject([{ type: 'draft.changed', conversationId, by }]);
  const { items } = await tablet.client.lists.drafts();
  expect(items).toMatchObject([{ conversationId, draft: { text: 'Dear B' } }]);
  await ada.client.lists.clearDraft(conversationId);
  await until(() => tablet.notices.length === 2);
  expect((await tablet.client.lists.drafts()).items).toEqual([]);
  expect(ben.notices).toEqual([]);
}, 60_000);
