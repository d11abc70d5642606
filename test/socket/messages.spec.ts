import { afterAll, beforeAll, expect, it } from 'vitest';
import { contentOf, type Breach, type Fact } from '#client';
import { newPerson, startPlatform, until, type Device, type Platform } from '#testing';

let platform: Platform;
let ada: Device;
let ben: Device;
const breaches: Breach[] = [];
beforeAll(async () => {
  platform = await startPlatform();
  ada = await newPerson({ url: platform.url }, 'Ada');
  ben = await newPerson({ url: platform.url }, 'Ben');
  ben.client.on('integrity', (breach) => breaches.push(breach));
}, 120_000);
afterAll(async () => {
  await ada.client.close();
  await ben.client.close();
  await platform.stop();
});

const ofMessages = (facts: readonly Fact[]) =>
  facts.filter(({ type }) => type.startsWith('message.'));

it('is said, edited and deleted over the socket, and checked by who hears of it', async () => {
  const { conversationId: room } = await ada.client.startGroup({
    name: 'Group',
    members: [ben.client.userId],
  });
  const entities = [{ type: 'mention', offset: 0, length: 4, userId: ben.client.userId }] as const;
  const { messageId } = await ada.client.messages.send(room, { text: '@Ben secret', entities });
  await ada.client.messages.edit(room, messageId, { text: 'secret, too' });
  await until(() => ofMessages(ben.facts).length === 2);
  const [said, edited] = ofMessages(ben.facts);
  expect(said && contentOf(said)).toEqual({ entities });
  expect(edited?.data).toMatchObject({ messageId, text: 'secret, too' });
  const versions = await ben.client.messages.versions(room, messageId, {
    minPosition: edited?.position,
  });
  expect(versions.map(({ text }) => text)).toEqual(['@Ben secret', 'secret, too']);
  const late = ada.client.messages.edit(room, messageId, { text: ' ' });
  await expect(late).rejects.toMatchObject({ code: 'invalid' });
  const { position } = await ada.client.messages.delete(room, messageId);
  await until(() => ofMessages(ben.facts).length === 3);
  const { items } = await ben.client.history(room, { minPosition: position });
  expect(ofMessages(items).map(({ type, deleted }) => [type, deleted])).toEqual([
    ['message.sent', true],
    ['message.edited', true],
    ['message.deleted', undefined],
  ]);
  expect(JSON.stringify(items)).not.toContain('secret');
  expect(breaches).toEqual([]);
}, 60_000);
