import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AT, projected, recorded, stampedBy } from '#testing';
import type { AudienceEvent } from '../audience/events.js';
import type { ConversationEvent, ConversationKind } from '../conversation/events.js';
import type { Role } from '../conversation/roles.js';
import { factOf, type HeardEvent } from '../facts.js';
import {
  MARK_KINDS,
  RECEIPT_SHARDS,
  receiptStreamOf,
  type Mark,
  type ReceiptEvent,
} from '../receipts/events.js';
import type { UserEvent } from '../user/events.js';
import { conversations, EXCERPT_CHARS_MAX } from './conversations.js';
import { factFrom, history } from './history.js';
import { mayRead, memberKey, members } from './members.js';
import { receipts } from './receipts.js';
import { users } from './users.js';
import { VIEWS } from './views.js';

const conversationId = 'k';
const own = { ...stampedBy('ada'), conversationId };
const started = (kind: ConversationKind = 'group', name = 'Team'): ConversationEvent => ({
  type: 'ConversationStarted',
  data: { ...own, kind, name },
});
const added = (role: Exclude<Role, 'moderator'>, ...who: readonly string[]): ConversationEvent => ({
  type: 'MembersAdded',
  data: { ...own, members: who, role },
});
const removed = (userId: string): ConversationEvent => ({
  type: 'MemberRemoved',
  data: { ...own, userId },
});
const left = (userId: string): ConversationEvent => ({
  type: 'MemberLeft',
  data: { ...own, userId },
});
const promoted = (userId: string, role: Role): ConversationEvent => ({
  type: 'RoleChanged',
  data: { ...own, userId, role },
});
const renamed = (name: string): ConversationEvent => ({
  type: 'ConversationRenamed',
  data: { ...own, name },
});
const said = (number: number, text = 'hi', by = 'ada'): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...stampedBy(by), conversationId, messageId: `message-${number}`, number, text },
});
const followed = (userId: string): AudienceEvent => ({
  type: 'BroadcastFollowed',
  data: { ...own, userId },
});
const unfollowed = (userId: string): AudienceEvent => ({
  type: 'BroadcastUnfollowed',
  data: { ...own, userId },
});

const talk = (...events: readonly ConversationEvent[]) =>
  recorded(...events.map((event) => ({ stream: `conversation-${conversationId}`, event })));
const heard = (...events: readonly HeardEvent[]) =>
  recorded(
    ...events.map((event) => {
      const isAudience = event.type === 'BroadcastFollowed' || event.type === 'BroadcastUnfollowed';
      return { stream: `${isAudience ? 'audience' : 'conversation'}-${conversationId}`, event };
    }),
  );

const listed = (...events: readonly ConversationEvent[]) =>
  projected(conversations)(...talk(...events)).get(conversationId);

describe('The list of conversations', () => {
  it('counts members and messages, and knows the head', () => {
    const view = listed(started(), added('member', 'bob', 'eve', 'zoe'), said(1), said(2));
    expect(view).toMatchObject({ kind: 'group', name: 'Team', members: 4, number: 2, head: 3 });
    expect(listed(started(), added('member', 'bob', 'eve'), removed('bob'))?.members).toBe(2);
    expect(listed(started(), added('member', 'bob', 'eve'), left('bob'))?.members).toBe(2);
    expect(listed(started(), promoted('ada', 'admin'))?.members).toBe(1);
  });

  it('shows the last message, with its place', () =>
    expect(listed(started(), said(1, 'first'), said(2, 'last', 'bob'), renamed('Crew'))).toEqual({
      kind: 'group',
      name: 'Crew',
      members: 1,
      head: 3,
      number: 2,
      plain: 2,
      startedAt: AT,
      updatedAt: AT,
      last: { messageId: 'message-2', seq: 2, by: 'bob', at: AT, text: 'last' },
    }));

  it('cuts a long message between characters, never within one', () => {
    for (const before of ['', 'a']) {
      const text = listed(started(), said(1, before + '😀'.repeat(EXCERPT_CHARS_MAX)))?.last?.text;
      expect(Array.from(text ?? '')).toHaveLength(EXCERPT_CHARS_MAX);
      expect(text?.isWellFormed()).toBe(true);
    }
  });
});

describe('The history', () => {
  it('holds one entry for each fact, which is the fact that was heard', () => {
    const events = heard(started(), said(1), followed('zoe'));
    const documents = projected(history)(...events);
    expect(documents.size).toBe(3);
    for (const event of events) {
      const { id: _id, position } = event;
      const entry = documents.get(_id);
      expect(entry && factFrom({ ...entry, _id, position })).toEqual(factOf(event));
      expect(entry?.origin).toEqual(event.data.origin);
    }
  });

  it('gives facts the place they have in their conversation, and an audience’s none', () => {
    const seqs = heard(started(), followed('zoe'), said(1)).map((event) => factOf(event).seq);
    expect(seqs).toEqual([0, -1, 1]);
  });

  it('tells neither the stamp nor the id twice', () => {
    const [event] = talk(said(1, 'hello'));
    expect(event && factOf(event)).toEqual({
      v: 1,
      id: 'event-0',
      type: 'message.sent',
      conversationId,
      seq: 0,
      position: '0',
      at: AT,
      actor: 'ada',
      data: { messageId: 'message-1', number: 1, text: 'hello' },
      correlationId: 'event-0',
      causationId: 'event-0',
      clientId: 'command-1',
    });
  });
});

const stay = (userId: string, ...events: readonly HeardEvent[]) =>
  projected(members)(...heard(...events)).get(memberKey(conversationId, userId));

describe('The members', () => {
  it('have the role they were given last', () => {
    expect(stay('ada', started())?.role).toBe('owner');
    expect(stay('ada', started('direct'))?.role).toBe('member');
    expect(stay('bob', started(), added('admin', 'bob'))?.role).toBe('admin');
    expect(stay('bob', started(), added('member', 'bob'), promoted('bob', 'owner'))?.role).toBe(
      'owner',
    );
  });

  it('may read what was said while they were in, and nothing else', () => {
    const events = [
      started(),
      said(1),
      added('member', 'bob'),
      said(2),
      removed('bob'),
      said(3),
      added('member', 'bob'),
      said(4),
    ];
    const view = stay('bob', ...events);
    const readable = heard(...events)
      .filter(({ position }) => mayRead(view?.intervals ?? [], position))
      .map(({ revision }) => revision);
    expect(readable).toEqual([2, 3, 4, 6, 7]);
    expect(stay('bob', ...events.slice(0, 6))).not.toHaveProperty('role');
  });

  it('hear a broadcast while they follow; following does not make an admin less', () => {
    expect(stay('zoe', started('broadcast'), followed('zoe'))?.role).toBe('follower');
    expect(
      stay('zoe', started('broadcast'), followed('zoe'), unfollowed('zoe'))?.intervals,
    ).toEqual([{ from: 10, to: 20 }]);
    const admin = [started('broadcast'), added('admin', 'zoe'), followed('zoe')] as const;
    expect(stay('zoe', ...admin)?.role).toBe('admin');
    expect(stay('zoe', ...admin, unfollowed('zoe'))).toMatchObject({
      role: 'admin',
      intervals: [{ from: 10 }],
    });
  });

  it('stay without a break when a follower becomes an admin', () =>
    expect(stay('zoe', started('broadcast'), followed('zoe'), added('admin', 'zoe'))).toMatchObject(
      { role: 'admin', intervals: [{ from: 10 }] },
    ));

  it('never have two stays that overlap, or one that is open before the last', () => {
    const who = fc.constantFrom('bob', 'eve');
    const act: fc.Arbitrary<HeardEvent> = fc.oneof(
      who.map((userId) => added('member', userId)),
      who.map((userId) => removed(userId)),
      who.map((userId) => left(userId)),
      who.map((userId) => followed(userId)),
      who.map((userId) => unfollowed(userId)),
    );
    fc.assert(
      fc.property(fc.array(act, { maxLength: 40 }), (acts) => {
        for (const { intervals } of projected(members)(...heard(started(), ...acts)).values()) {
          const bounds = intervals.flatMap(({ from, to }) => [from, to ?? Number.MAX_SAFE_INTEGER]);
          expect(bounds).toEqual(bounds.toSorted((a, b) => a - b));
          expect(intervals.slice(0, -1).every(({ to }) => to !== undefined)).toBe(true);
        }
      }),
    );
  });
});

describe('The receipts', () => {
  const DELIVERED = MARK_KINDS.indexOf('delivered');
  const READ = MARK_KINDS.indexOf('read');
  const ticks = (...events: readonly (readonly Mark[])[]) =>
    recorded<ReceiptEvent>(
      ...events.map((marks) => ({
        stream: receiptStreamOf(conversationId),
        event: { type: 'MarksMoved' as const, data: { at: AT, marks } },
      })),
    );
  const read = (seq: number, user = 'bob'): Mark => [conversationId, user, 'phone', READ, seq, seq];
  const delivered = (seq: number, device = 'phone'): Mark => [
    conversationId,
    'bob',
    device,
    DELIVERED,
    seq,
    0,
  ];
  const bob = memberKey(conversationId, 'bob');

  it('only move forward', () =>
    expect(
      projected(receipts)(...ticks([read(5)], [read(3)], [delivered(9)], [delivered(2)])).get(bob),
    ).toMatchObject({ read: 5, readNumber: 5, delivered: { phone: 9 } }));

  it('are kept apart for each person, and what was delivered for each device', () => {
    const marks = [read(5), read(7, 'eve'), delivered(3), delivered(8, 'laptop')];
    const documents = projected(receipts)(...ticks(marks));
    expect(documents.get(bob)).toMatchObject({ read: 5, delivered: { phone: 3, laptop: 8 } });
    expect(documents.get(memberKey(conversationId, 'eve'))).toMatchObject({ read: 7 });
  });

  it('move for the author by sending', () => {
    const documents = projected(receipts)(...talk(started(), said(1, 'hi', 'bob')));
    expect([...documents.keys()]).toEqual([bob]);
    expect(documents.get(bob)).toMatchObject({ read: 1, readNumber: 1 });
  });

  it('come to the same whatever the order and the batching', () => {
    const mark = fc.tuple(fc.nat(20), fc.boolean(), fc.constantFrom('phone', 'laptop'));
    fc.assert(
      fc.property(fc.array(mark, { minLength: 1, maxLength: 30 }), fc.nat(10), (drawn, cut) => {
        const marks = drawn.map(([seq, isRead, device]) =>
          isRead ? read(seq) : delivered(seq, device),
        );
        const one = projected(receipts)(...ticks(marks)).get(bob);
        const parts = [marks.slice(cut), marks.slice(0, cut)].filter(({ length }) => length > 0);
        expect(projected(receipts)(...ticks(...parts)).get(bob)).toEqual(one);
      }),
    );
  });

  it('are spread over all shards by the conversation, and stay in theirs', () => {
    const shards = new Set<string>();
    for (let byte = 0; byte < 256; byte += 1) {
      const id = `${byte.toString(16).padStart(2, '0')}345678-0000-4000-8000-000000000000`;
      shards.add(receiptStreamOf(id));
      expect(receiptStreamOf(id)).toMatch(/^receipts-[0-3][0-9a-f]$/u);
    }
    expect(shards.size).toBe(RECEIPT_SHARDS);
  });
});

const people = (events: readonly UserEvent[]) =>
  projected(users)(...recorded(...events.map((event) => ({ stream: 'user-ada', event }))));

describe('The people', () => {
  const by = stampedBy('ada');
  const userId = 'ada';
  const past: readonly UserEvent[] = [
    { type: 'UserRegistered', data: { ...by, userId, phone: '+4930123456', name: 'Ada' } },
    { type: 'UserRenamed', data: { ...by, userId, name: 'Ada L.' } },
    { type: 'UsernameChosen', data: { ...by, userId, username: 'ada', claim: 'claim-1' } },
    {
      type: 'DeviceLinked',
      data: { ...by, userId, deviceId: 'd', name: 'Phone', platform: 'android' },
    },
  ];
  it('have a name, a username and devices, and never show a phone number', () => {
    const view = people(past).get('ada');
    expect(view).toEqual({
      privacy: {},
      preferences: {},
      blocked: [],
      roles: [],
      name: 'Ada L.',
      username: 'ada',
      registeredAt: AT,
      devices: [{ deviceId: 'd', name: 'Phone', platform: 'android', at: AT }],
    });
  });

  it('are not made by anything but registering', () => expect(people(past.slice(1)).size).toBe(0));
});

describe('Every read model', () => {
  it('is known by one name', () => {
    for (const [name, view] of Object.entries(VIEWS)) expect(view.name).toBe(name);
  });
});
