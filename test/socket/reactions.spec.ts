import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ReactionState, SetReaction } from '#client';
import { newPerson, startPlatform, until, type Device, type Platform } from '#testing';

let platform: Platform;
let ada: Device;
let ben: Device;
let eve: Device;
beforeAll(async () => {
  platform = await startPlatform();
  const { url } = platform;
  ada = await newPerson({ url }, 'Ada');
  ben = await newPerson({ url }, 'Ben');
  eve = await newPerson({ url }, 'Eve');
}, 120_000);
afterAll(async () => {
  for (const { client } of [ada, ben, eve]) await client.close();
  await platform.stop();
});

const hearing = ({ client }: Device): SetReaction[] => {
  const heard: SetReaction[] = [];
  client.on('reactions.set', ({ reactions }) => heard.push(...reactions));
  return heard;
};

it('[C12] reaches everyone in the conversation, and whoever was away when they are back', async () => {
  const members = [ben.client.userId, eve.client.userId];
  const { conversationId: room } = await ada.client.startGroup({ name: 'Choir', members });
  const { messageId, seq } = await ada.client.send(room, 'Tonight at eight?');
  const heard = hearing(ada);
  await until(() => eve.facts.some(({ id }) => id === messageId));
  await eve.client.close();
  await ben.client.messages.react(room, messageId, '👍');
  const reacted = { conversationId: room, messageId, seq, userId: ben.client.userId };
  await until(() => heard.length === 1);
  expect(heard).toEqual([{ ...reacted, emoji: '👍' }]);
  await ben.client.messages.unreact(room, messageId);
  await until(() => heard.length === 2);
  expect(heard.at(-1)).toEqual(reacted);
  await ben.client.messages.react(room, messageId, '🎉');
  const states: ReactionState[] = [];
  eve.client.on('reactions', (now) => states.push(...now));
  await eve.client.connect();
  await until(() => states.length > 0);
  expect(states).toEqual([
    { conversationId: room, messageId, seq, counts: [{ emoji: '🎉', count: 1 }] },
  ]);
  const { items } = await eve.client.messages.reactions(room, messageId);
  expect(items).toEqual([{ userId: ben.client.userId, emoji: '🎉' }]);
}, 60_000);

it('[V9] is not told to who came after the message', async () => {
  const { conversationId: room } = await ada.client.startGroup({
    name: 'Choir',
    members: [ben.client.userId],
  });
  const old = await ada.client.send(room, 'Before Eve came');
  await ada.client.addMembers(room, [eve.client.userId]);
  const fresh = await ada.client.send(room, 'After Eve came');
  await until(() => eve.facts.some(({ id }) => id === fresh.messageId));
  const [heard, hers] = [hearing(ada), hearing(eve)];
  await ben.client.messages.react(room, old.messageId, '👍');
  await ben.client.messages.react(room, fresh.messageId, '👍');
  await until(() => heard.length === 2 && hers.length > 0);
  expect(hers.map(({ messageId }) => messageId)).toEqual([fresh.messageId]);
  const refused = eve.client.messages.react(room, old.messageId, '👍');
  await expect(refused).rejects.toMatchObject({ code: 'not_found' });
}, 60_000);

it('[abuse 21] is refused where it is no emoji, and given twice is one', async () => {
  const { conversationId: room } = await ada.client.startDirect(ben.client.userId);
  const { messageId } = await ada.client.send(room, 'Yes?');
  const long = ada.client.messages.react(room, messageId, '👍'.repeat(256));
  await expect(long).rejects.toMatchObject({ code: 'invalid' });
  await ben.client.messages.react(room, messageId, '👍');
  const again = await ben.client.messages.react(room, messageId, '👍');
  expect(again.duplicate).toBe(true);
}, 60_000);
