import { expect, it } from 'vitest';
import { receiptStreamOf, type Mark, type ScriptaEvent } from '#domain';
import { uuidOf } from '#platform';
import { append, memoryPorts, type Said } from '#testing';
import { Pages } from './pages.js';

const ROOM = uuidOf('room');
const ADA = uuidOf('ada');
const BEN = uuidOf('ben');
const CARL = uuidOf('carl');
const PAGE = 200;
let count = 0;

const stamp = (by: string) => {
  count += 1;
  const at = new Date(Date.UTC(2026, 0, 1) + count).toISOString();
  return { by, at, origin: { command: uuidOf(`command:${count}`), device: uuidOf(by), n: count } };
};
const inRoom = (event: ScriptaEvent): Said => ({ stream: `conversation-${ROOM}`, event });
const started = inRoom({
  type: 'ConversationStarted',
  data: { ...stamp(ADA), conversationId: ROOM, kind: 'group', name: 'Room' },
});
const added = (...members: string[]) =>
  inRoom({
    type: 'MembersAdded',
    data: { ...stamp(ADA), conversationId: ROOM, members, role: 'member' },
  });
const removed = (userId: string) =>
  inRoom({ type: 'MemberRemoved', data: { ...stamp(ADA), conversationId: ROOM, userId } });
const said = (by: string, number: number) =>
  inRoom({
    type: 'MessageSent',
    data: {
      ...stamp(by),
      conversationId: ROOM,
      messageId: uuidOf(`message:${number}`),
      number,
      text: 'Good evening.',
    },
  });
const read = (userId: string, seq: number): Said => {
  const mark: Mark = [ROOM, userId, uuidOf(userId), 1, seq, 1];
  const { at } = stamp(userId);
  return {
    stream: receiptStreamOf(ROOM),
    event: { type: 'MarksMoved', data: { at, marks: [mark] } },
  };
};

/** What Ben is told when he comes back after all this, from the beginning of the log. */
const pageFor = async (...history: readonly Said[]) => {
  const { store, codec, views } = memoryPorts();
  await append(store, codec, history);
  const end = (await store.head(['']))?.position ?? -1;
  const pages = new Pages(views, 32);
  const stays = await pages.stays(await pages.members(BEN), -1, end);
  return pages.page({ userId: BEN, from: -1, to: end, limit: PAGE }, stays, {
    position: end,
    eventId: '',
  });
};

it('tells how far others have got while one was there', async () => {
  const page = await pageFor(started, added(BEN, CARL), said(ADA, 1), read(CARL, 2));
  expect(page.receipts.map(({ userId, read: seq }) => [userId, seq])).toContainEqual([CARL, 2]);
});

it('[V8] tells a removed member nothing of how far others got afterwards', async () => {
  const history = [started, added(BEN, CARL), said(ADA, 1), removed(BEN), read(CARL, 2)];
  const page = await pageFor(...history);
  expect(page.facts).toHaveLength(3);
  expect(page.receipts.map(({ userId }) => userId)).not.toContain(CARL);
});
