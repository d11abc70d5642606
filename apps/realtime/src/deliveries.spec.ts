import { expect, it } from 'vitest';
import type { Recorded, ScriptaEvent } from '#domain';
import { deliveriesOf, isFor } from './deliveries.js';

const ADA = '00000000-0000-4000-8000-00000000000a';
const BEN = '00000000-0000-4000-8000-00000000000b';
const ROOM = '10000000-0000-4000-8000-000000000000';
const stamp = { by: ADA, at: '2026-01-01T00:00:00.000Z', origin: { command: ROOM } };

const recorded = (
  event: ScriptaEvent,
  stream = `conversation-${ROOM}`,
): Recorded<ScriptaEvent> => ({
  ...event,
  id: '20000000-0000-4000-8000-000000000000',
  stream,
  revision: 7,
  position: 4_711,
  correlationId: ROOM,
  causationId: ROOM,
});

it('tells a message to everyone in the room, with its place and without its stamp', () => {
  const said = { ...stamp, conversationId: ROOM, messageId: BEN, number: 3, text: 'hi' };
  const delivery = deliveriesOf(recorded({ type: 'MessageSent', data: said }));
  expect(delivery).toMatchObject({ conversationId: ROOM, enter: [], exit: [], audience: 'room' });
  expect(delivery?.fact).toEqual({
    v: 1,
    id: '20000000-0000-4000-8000-000000000000',
    type: 'message.sent',
    conversationId: ROOM,
    seq: 7,
    position: '4711',
    at: stamp.at,
    actor: ADA,
    clientId: ROOM,
    correlationId: ROOM,
    causationId: ROOM,
    data: { messageId: BEN, number: 3, text: 'hi' },
  });
});

it('lets newcomers in before they are told that they were added', () => {
  const data = { ...stamp, conversationId: ROOM, members: [BEN], role: 'member' as const };
  const delivery = deliveriesOf(recorded({ type: 'MembersAdded', data }));
  expect(delivery).toMatchObject({ enter: [BEN], exit: [], audience: 'room' });
});

it.each(['MemberRemoved', 'MemberLeft'] as const)('lets out after telling of %s', (type) => {
  const delivery = deliveriesOf(
    recorded({ type, data: { ...stamp, conversationId: ROOM, userId: BEN } }),
  );
  expect(delivery).toMatchObject({ enter: [], exit: [BEN], audience: 'room' });
});

it('tells of a follower only to the follower', () => {
  const data = { ...stamp, by: BEN, conversationId: ROOM, userId: BEN };
  const stream = `audience-${ROOM}`;
  const followed = deliveriesOf(recorded({ type: 'BroadcastFollowed', data }, stream));
  expect(followed).toMatchObject({ enter: [BEN], following: true, audience: [BEN] });
  expect(followed?.fact.seq).toBe(-1);
  expect(isFor(followed?.fact ?? { seq: 0, data: {} }, BEN)).toBe(true);
  expect(isFor(followed?.fact ?? { seq: 0, data: {} }, ADA)).toBe(false);
  const gone = deliveriesOf(recorded({ type: 'BroadcastUnfollowed', data }, stream));
  expect(gone).toMatchObject({ exit: [BEN], following: true, audience: [BEN] });
});

it('is silent about what no member hears of', () => {
  const data = { at: stamp.at, marks: [] };
  expect(deliveriesOf(recorded({ type: 'MarksMoved', data }, 'receipts-00'))).toBeUndefined();
});
