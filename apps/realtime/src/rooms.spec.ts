import { expect, it } from 'vitest';
import type { Delivery } from './deliveries.js';
import { emissionOf, type Emission } from './frames.js';
import { Reader, UNACKNOWLEDGED_BYTES_MAX, UNACKNOWLEDGED_MAX } from './reader.js';
import { roomsAt } from './resume.js';
import { Rooms } from './rooms.js';

const ROOM = 'room';

const readerOf = (userId: string) => {
  const heard: number[] = [];
  let behind = 0;
  const reader = new Reader(userId, `${userId}-device`, {
    write: ({ position }: Emission) => heard.push(position),
    behind: () => (behind += 1),
  });
  return { reader, heard, behind: () => behind };
};

const live = (rooms: Rooms, reader: Reader, following = false): void => {
  rooms.add(reader);
  rooms.join(reader, new Map([[ROOM, { following, since: 0 }]]));
  reader.live(-1);
};

const emission = (position: number, text = '', actor = 'ada'): Emission =>
  emissionOf('message.sent', { text }, { position, conversationId: ROOM, seq: position, actor });

const delivery = (about: Partial<Delivery> = {}): Delivery => ({
  conversationId: ROOM,
  fact: {
    v: 1,
    id: '',
    type: 'message.sent',
    conversationId: ROOM,
    seq: 0,
    position: '0',
    at: '',
    actor: '',
    data: {},
    correlationId: '',
    causationId: '',
    clientId: '',
  },
  enter: [],
  exit: [],
  following: false,
  audience: 'room',
  ...about,
});

it('tells a removed member of the removal and of nothing after it', () => {
  const rooms = new Rooms();
  const [ada, ben] = [readerOf('ada'), readerOf('ben')];
  live(rooms, ada.reader);
  live(rooms, ben.reader);
  rooms.deliver(delivery(), emission(1));
  rooms.deliver(delivery({ exit: ['ben'] }), emission(2));
  rooms.deliver(delivery(), emission(3));
  expect(ada.heard).toEqual([1, 2, 3]);
  expect(ben.heard).toEqual([1, 2]);
});

it('lets a newcomer hear from being added on, but not one who has yet to resume', () => {
  const rooms = new Rooms();
  const [ben, away] = [readerOf('ben'), readerOf('ben')];
  rooms.add(ben.reader);
  rooms.join(ben.reader, new Map());
  ben.reader.live(-1);
  rooms.add(away.reader);
  rooms.deliver(delivery(), emission(1));
  rooms.deliver(delivery({ enter: ['ben'] }), emission(2));
  expect(ben.heard).toEqual([2]);
  expect(away.heard).toEqual([]);
});

it('keeps what is heard while joining and tells only what the pages did not hold', () => {
  const rooms = new Rooms();
  const { reader, heard } = readerOf('ada');
  rooms.add(reader);
  rooms.join(reader, new Map([[ROOM, { following: false, since: 0 }]]));
  for (const position of [5, 6, 7]) rooms.deliver(delivery(), emission(position));
  expect(heard).toEqual([]);
  reader.live(5);
  expect(heard).toEqual([6, 7]);
});

it('never lets a reader live that has left meanwhile', () => {
  const rooms = new Rooms();
  const { reader, heard } = readerOf('ada');
  rooms.add(reader);
  rooms.join(reader, new Map([[ROOM, { following: false, since: 0 }]]));
  rooms.remove(reader);
  reader.live(-1);
  rooms.deliver(delivery(), emission(1));
  expect(heard).toEqual([]);
  expect(reader.state).toBe('away');
});

it('puts a reader out of its rooms that leaves too many facts unacknowledged', () => {
  const rooms = new Rooms();
  const { reader, heard, behind } = readerOf('ben');
  live(rooms, reader);
  for (let at = 0; at < UNACKNOWLEDGED_MAX + 10; at++) rooms.deliver(delivery(), emission(at));
  expect(heard).toHaveLength(UNACKNOWLEDGED_MAX);
  expect(behind()).toBe(1);
  expect(rooms.in(ROOM).size).toBe(0);
});

it('puts a reader out of its rooms that leaves too many bytes unacknowledged', () => {
  const rooms = new Rooms();
  const { reader, heard, behind } = readerOf('ben');
  live(rooms, reader);
  const long = 'x'.repeat(UNACKNOWLEDGED_BYTES_MAX / 4);
  for (let at = 0; at < 6; at++) rooms.deliver(delivery(), emission(at, long));
  expect(heard).toEqual([0, 1, 2]);
  expect(behind()).toBe(1);
});

it('opens the window again by acknowledgements, and counts only the messages of others', () => {
  const rooms = new Rooms();
  const { reader, heard, behind } = readerOf('ben');
  live(rooms, reader);
  const reached: unknown[] = [];
  for (let at = 0; at < 4 * UNACKNOWLEDGED_MAX; at++) {
    rooms.deliver(delivery(), emission(at, '', at % 2 === 0 ? 'ada' : 'ben'));
    if (at % 32 === 31) reached.push(...reader.acknowledge(at));
  }
  expect(heard).toHaveLength(4 * UNACKNOWLEDGED_MAX);
  expect(behind()).toBe(0);
  expect(reached[0]).toEqual({ conversationId: ROOM, seq: 30 });
  expect(reader.acknowledge(4 * UNACKNOWLEDGED_MAX)).toEqual([]);
});

it('gives up what is kept while joining when it becomes too much', () => {
  const rooms = new Rooms();
  const { reader } = readerOf('ben');
  rooms.add(reader);
  rooms.join(reader, new Map([[ROOM, { following: false, since: 0 }]]));
  for (let at = 0; at <= UNACKNOWLEDGED_MAX; at++) rooms.deliver(delivery(), emission(at));
  expect(reader.overflowed).toBe(true);
});

it('lets an admin who unfollows go on hearing, and a follower not', () => {
  const rooms = new Rooms();
  const [admin, follower] = [readerOf('admin'), readerOf('follower')];
  live(rooms, admin.reader);
  live(rooms, follower.reader, true);
  for (const userId of ['admin', 'follower'])
    rooms.deliver(delivery({ exit: [userId], following: true, audience: [userId] }), emission(1));
  rooms.deliver(delivery(), emission(2));
  expect(admin.heard).toEqual([1, 2]);
  expect(follower.heard).toEqual([1]);
});

it('keeps moves in order for a reader whose rooms are still being read', () => {
  const rooms = new Rooms();
  const { reader } = readerOf('ben');
  rooms.add(reader);
  reader.moves = [];
  rooms.deliver(delivery({ enter: ['ben'] }), emission(1));
  rooms.deliver(delivery({ exit: ['ben'] }), emission(2));
  expect(reader.moves.map(({ enters }) => enters)).toEqual([true, false]);
});

it('reads from a view that is ahead where somebody was at an earlier place', () => {
  const member = { conversationId: ROOM, userId: 'ben', addedBy: 'ada', joinedAt: '' };
  const stays = [{ from: 10, to: 20 }, { from: 30 }];
  const at = (position: number, role?: 'member' | 'follower') =>
    roomsAt([{ ...member, ...(role ? { role } : {}), intervals: stays }], position);
  expect(at(5, 'member')).toEqual(new Map());
  expect(at(19, 'member')).toEqual(new Map([[ROOM, { following: true, since: 10 }]]));
  expect(at(20, 'member')).toEqual(new Map());
  expect(at(30, 'member')).toEqual(new Map([[ROOM, { following: false, since: 30 }]]));
  expect(at(30, 'follower')).toEqual(new Map([[ROOM, { following: true, since: 30 }]]));
});

it('[V9] tells those who were there, and not who came since, of what is about something older', () => {
  const rooms = new Rooms();
  const [ada, ben] = [readerOf('ada'), readerOf('ben')];
  live(rooms, ada.reader);
  rooms.add(ben.reader);
  rooms.join(ben.reader, new Map());
  ben.reader.live(-1);
  rooms.deliver(delivery({ enter: ['ben'] }), emission(5));
  rooms.tellThose(ROOM, 4, emission(6));
  rooms.tellThose(ROOM, 5, emission(7));
  expect(ada.heard).toEqual([5, 6, 7]);
  expect(ben.heard).toEqual([5, 7]);
});
