import { afterAll, beforeAll, expect, it } from 'vitest';
import { newPerson, startPlatform, textsOf, until, type Device, type Platform } from '#testing';

let platform: Platform;
const devices: Device[] = [];
beforeAll(async () => {
  platform = await startPlatform();
}, 120_000);
afterAll(async () => {
  await Promise.all(devices.map(({ client }) => client.close()));
  await platform.stop();
});

const person = async (name: string): Promise<Device> => {
  const device = await newPerson({ url: platform.url }, name);
  devices.push(device);
  return device;
};
const inSeconds = (count: number): string => new Date(Date.now() + count * 1_000).toISOString();

it.each(['schedule.released', 'command.appended:2', 'schedule.sent', 'nowhere'] as const)(
  '[X5] a scheduled message is said once, though the process that says it dies: %s',
  async (point) => {
    const [ada, ben] = [await person('Ada'), await person('Ben')];
    const { conversationId } = await ada.client.startDirect(ben.client.userId);
    for (const text of ['one', 'two'])
      await ada.client.lists.schedule(conversationId, inSeconds(4), { text });
    await ada.client.close();
    await platform.kill('command-api');
    // What dies at a point does so at its first pass: of the first of the two.
    await platform.start('command-api', { SCRIPTA_CRASH_AT: point });
    if (point !== 'nowhere') {
      await until(() => !platform.isRunning('command-api'), 20_000);
      await platform.start('command-api');
    }
    await until(() => textsOf(ben.facts, conversationId).length === 2, 20_000);
    await ada.client.connect();
    await until(async () => (await ada.client.lists.scheduled()).items.length === 0, 20_000);
    expect(textsOf(ben.facts, conversationId).toSorted()).toEqual(['one', 'two']);
    const { items } = await ben.client.history(conversationId);
    expect(items.filter(({ type }) => type === 'message.sent')).toHaveLength(2);
  },
  90_000,
);
