// These facts are as the protocol says, or altered on purpose.
// oxlint-disable typescript/no-unsafe-type-assertion
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  FACT_TYPES as EVENT_FACTS,
  factOf,
  type ConversationEvent,
  type HeardEvent,
} from '#domain';
import { linkOf as linkInLog, linked, type Codec, type EventStore } from '#platform';
import { memoryPorts } from '#testing';
import { Chains, type Breach } from './chains.js';
import { commitOf, isAsCommitted, linkOf } from './proof.js';
import { FACT_TYPES, type Fact } from './protocol.js';
import { MemoryStorage } from './storage.js';

const [ADA, BEN] = [randomUUID(), randomUUID()];
const ROOM = randomUUID();
const stamp = () => ({
  by: ADA,
  at: new Date().toISOString(),
  origin: { command: randomUUID() },
  conversationId: ROOM,
});
const message = (number: number, text: string): ConversationEvent => ({
  type: 'MessageSent',
  data: { ...stamp(), messageId: randomUUID(), number, text },
});
const removed = (userId: string): ConversationEvent => ({
  type: 'MemberRemoved',
  data: { ...stamp(), userId },
});
const added = (...members: string[]): ConversationEvent => ({
  type: 'MembersAdded',
  data: { ...stamp(), members, role: 'member' },
});

/** Of every type of fact that a conversation's order has, and names and texts that need escapes. */
const HISTORY: readonly ConversationEvent[] = [
  { type: 'ConversationStarted', data: { ...stamp(), kind: 'group', name: 'Tea & "cake"\u2028' } },
  added(BEN, randomUUID()),
  message(1, 'Häßlich: \u0000 \ud83c\udf75 \\ "'),
  { type: 'ConversationRenamed', data: { ...stamp(), name: 'Só café' } },
  { type: 'RoleChanged', data: { ...stamp(), userId: BEN, role: 'admin' } },
  removed(BEN),
  message(2, 'Ben is out'),
  added(BEN),
  message(3, ''),
  { type: 'MemberLeft', data: { ...stamp(), userId: BEN } },
  { type: 'MessageEdited', data: { ...stamp(), messageId: ADA, messageSeq: 2, text: 'Grün' } },
  { type: 'MessageDeleted', data: { ...stamp(), messageId: ADA, messageSeq: 2 } },
  { type: 'MessagePinned', data: { ...stamp(), messageId: ADA, messageSeq: 2 } },
  { type: 'MessageUnpinned', data: { ...stamp(), messageId: ADA, messageSeq: 2 } },
  { type: 'ConversationDescribed', data: { ...stamp(), description: 'Dès 8 h', image: '' } },
  { type: 'PermissionsChanged', data: { ...stamp(), send: 'admin' } },
  { type: 'PaceChanged', data: { ...stamp(), slowModeS: 5 } },
  { type: 'MemberBanned', data: { ...stamp(), userId: ADA, wasIn: 'no' } },
  { type: 'MemberUnbanned', data: { ...stamp(), userId: ADA } },
  { type: 'JoiningChanged', data: { ...stamp(), access: 'public' } },
  { type: 'InviteCreated', data: { ...stamp(), inviteId: ADA, approval: 'no' } },
  { type: 'InviteRevoked', data: { ...stamp(), inviteId: ADA } },
  { type: 'JoinRequested', data: { ...stamp(), userId: ADA } },
  { type: 'JoinRequestEnded', data: { ...stamp(), userId: ADA, outcome: 'refused' } },
  { type: 'MemberInvited', data: { ...stamp(), userId: ADA } },
  { type: 'InvitationEnded', data: { ...stamp(), userId: ADA, outcome: 'declined' } },
  { type: 'ConversationDeleted', data: { ...stamp(), history: 'kept' } },
  { type: 'MembersDismissed', data: { ...stamp(), members: [ADA], history: 'kept' } },
];

const envelope = () => ({ id: randomUUID(), correlationId: 'c', causationId: 'c' });

/** A wire's copy of what a conversation's members are shown, and the links as the log has them. */
const factsOf = async (
  history: readonly ConversationEvent[] = HISTORY,
  { store, codec }: Readonly<{ store: EventStore; codec: Codec }> = memoryPorts(),
) => {
  const sealed = await Promise.all(history.map((event) => codec.encode(event, envelope())));
  const stream = `conversation-${ROOM}`;
  const chain = linked(sealed, '', 0);
  await store.append(stream, -1, chain.events);
  const logged = await store.read(stream, 0, history.length);
  const events = await Promise.all(logged.map(async (event) => codec.decode(event, true)));
  const facts = events.map((event) => factOf(event as Parameters<typeof factOf>[0] & HeardEvent));
  const links = logged.map((event) => linkInLog(event, event.revision));
  return { facts: JSON.parse(JSON.stringify(facts)) as Fact[], links, head: chain.head };
};

/** What is found when these are shown to Ben, one after the other. */
const found = (facts: readonly Fact[], chains = chainsOf()): [number, string][] => {
  for (const fact of facts) chains.shown(fact);
  return chains.breaches.map(({ seq, reason }) => [seq, reason]);
};

const chainsOf = () => {
  const breaches: Breach[] = [];
  const chains = new Chains({ userId: () => BEN, breach: (breach) => breaches.push(breach) });
  return Object.assign(chains, { breaches });
};

const altered = (fact: Fact | undefined, data: object): Fact =>
  ({ ...fact, data: { ...fact?.data, ...data } }) as Fact;

it('[Z13] computes the links that the log has, for facts of every type in an order', async () => {
  const { facts, links, head } = await factsOf();
  expect(facts.map(linkOf)).toEqual(links);
  expect(links.at(-1)).toBe(head);
  expect(facts.slice(1).map(({ proof }) => proof?.prev)).toEqual(links.slice(0, -1));
  const inside = FACT_TYPES.filter((type) => !type.startsWith('broadcast.'));
  expect(new Set(facts.map(({ type }) => type))).toEqual(new Set(inside));
  expect(new Set(Object.values(EVENT_FACTS))).toEqual(new Set(FACT_TYPES));
});

it('[Z13] links what was written where an older version of an event is shown as a newer', async () => {
  const { facts, links } = await factsOf();
  const [first] = facts;
  const { name: _name, ...written } = (first?.data ?? {}) as Record<string, unknown>;
  const upcast = { ...altered(first, { since: 'now' }), proof: { ...first?.proof, written } };
  expect(linkOf(upcast as Fact)).toBe(links[0]);
});

it('[Z13] commits to what is personal, and to nothing once that is erased', async () => {
  const ports = memoryPorts();
  const { facts } = await factsOf(HISTORY, ports);
  for (const fact of facts) {
    expect(commitOf(fact)).toBe(fact.proof?.commit);
    expect(isAsCommitted(fact)).toBe(true);
  }
  expect(isAsCommitted(altered(facts[2], { text: 'kind words' }))).toBe(false);
  expect(isAsCommitted(altered(facts[3], { name: 'Tea' }))).toBe(false);
  const { salt: _salt, ...erased } = facts[2]?.proof ?? { prev: '' };
  const emptied = { ...altered(facts[2], { text: '' }), proof: erased } as Fact;
  expect(isAsCommitted(emptied)).toBe(true);
  expect(linkOf(emptied)).toBe(facts[3]?.proof?.prev);
  expect(isAsCommitted({ ...altered(facts[2], {}), proof: erased })).toBe(false);
});

it('[Z13] finds nothing wrong with what is right, nor where one was out and is in again', async () => {
  const { facts } = await factsOf();
  expect(found(facts)).toEqual([]);
  // Ben is not shown what was said while he was out.
  expect(found(facts.filter(({ seq }) => seq !== 6))).toEqual([]);
  expect(found(facts.slice(2, 6))).toEqual([]);
});

it('[Z13] finds what is hidden, altered, exchanged or said to be another past', async () => {
  const { facts } = await factsOf([
    ...HISTORY.slice(0, 2),
    ...[1, 2, 3, 4].map((n) => message(n, `${n}`)),
  ]);
  const without = (seq: number) => facts.filter((fact) => fact.seq !== seq);
  const put = (fact: Fact) => facts.map((right) => (right.seq === fact.seq ? fact : right));
  expect(found(without(3))).toEqual([[4, 'gap']]);
  expect(found(put(altered(facts[3], { text: 'no' })))).toEqual([[3, 'altered']]);
  expect(found(put(altered(facts[3], { number: 9 })))).toEqual([[4, 'forked']]);
  // Hidden, and those after it moved up by one.
  const moved = without(3).map((fact) => (fact.seq > 3 ? { ...fact, seq: fact.seq - 1 } : fact));
  expect(found(moved)).toEqual([
    [3, 'forked'],
    [4, 'forked'],
  ]);
  // Two exchanged, each in the other's place.
  const [one, two] = [facts[3], facts[4]] as [Fact, Fact];
  const swapped = put({ ...two, seq: 3 }).map((fact) => (fact === two ? { ...one, seq: 4 } : fact));
  expect(found(swapped)[0]).toEqual([3, 'forked']);
  // The proof itself, with a text and a commitment that fit each other, or without any.
  const lie = altered(facts[3], { text: 'lie' });
  const fitting = { ...lie, proof: { ...lie.proof, commit: commitOf(lie) } } as Fact;
  expect(found(put(fitting))).toEqual([[4, 'forked']]);
  const { proof: _proof, ...bare } = lie;
  expect(found(put(bare as Fact))).toEqual([[3, 'forked']]);
});

it('[Z13] goes on in the next run from where the last one stood', async () => {
  const { facts } = await factsOf([
    ...HISTORY.slice(0, 2),
    ...[1, 2, 3].map((n) => message(n, `${n}`)),
  ]);
  const storage = new MemoryStorage();
  const first = chainsOf();
  expect(found(facts.slice(0, 3), first)).toEqual([]);
  first.save(storage);
  const next = async () => {
    const chains = chainsOf();
    chains.restore(await storage.load());
    return chains;
  };
  expect(found(facts.slice(3), await next())).toEqual([]);
  expect(found(facts.slice(4), await next())).toEqual([[4, 'gap']]);
  const again = await next();
  again.repeated(altered(facts[2], { number: 7 }));
  expect(again.breaches).toEqual([{ conversationId: ROOM, seq: 2, reason: 'forked' }]);
});

it('[Z13] checks pages of history in themselves and against what was shown', async () => {
  const { facts } = await factsOf([
    ...HISTORY.slice(0, 2),
    ...[1, 2, 3, 4].map((n) => message(n, `${n}`)),
  ]);
  const read = (page: readonly Fact[]) => {
    const chains = chainsOf();
    for (const fact of facts.slice(0, 5)) chains.shown(fact);
    chains.read(page);
    return chains.breaches.map(({ seq, reason }) => [seq, reason]);
  };
  expect(read(facts)).toEqual([]);
  expect(read(facts.filter(({ seq }) => seq !== 3))).toEqual([[4, 'gap']]);
  expect(
    read(facts.map((fact) => (fact.seq === 1 ? altered(fact, { members: [] }) : fact))),
  ).toEqual([[2, 'forked']]);
  expect(read([altered(facts[4], { number: 9 })])).toEqual([[4, 'forked']]);
});
