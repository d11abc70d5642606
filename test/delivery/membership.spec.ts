import { array, assert, asyncProperty, constantFrom, nat, record } from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ScriptaError, type Accepted, type Fact, type Sent } from '#client';
import { startPlatform, until, type Platform } from '#testing';
import { someone, type Someone } from './someone.js';

/** Rooms of random life; `SCRIPTA_RUNS` asks for more. */
const RUNS = Number(process.env['SCRIPTA_RUNS'] ?? 12);
const SEED = Number(process.env['SCRIPTA_SEED'] ?? 20);
const OTHERS = 3;
/** Facts of a history page: small, so that pages end within stays. */
const PAGE = 7;

type Act = Readonly<{ kind: 'say' | 'add' | 'remove' | 'leave'; who: number }>;
/** What one act left in the order of the conversation. */
type Left = Readonly<{ act: Act; seq: number; position: string }>;

/** Somebody with a device that listens all the time, and one that comes back in the end. */
type Person = Readonly<{ listens: Someone; returns: Someone }>;

let platform: Platform;
let owner: Someone;
let people: Person[];

beforeAll(async () => {
  platform = await startPlatform();
  owner = await someone(platform, 'Owner');
  await owner.client.connect();
  people = await Promise.all(
    Array.from({ length: OTHERS }, async (_, index) => {
      const listens = await someone(platform, `Person ${index}`);
      const returns = await someone(platform, `Person ${index}`, listens.phone);
      await listens.client.connect();
      await returns.client.connect();
      return { listens, returns };
    }),
  );
});

afterAll(async () => {
  for (const { client } of [owner, ...people.flatMap((person) => Object.values(person))])
    await client.close();
  await platform.stop();
});

const act = record({
  kind: constantFrom<Act['kind'][]>('say', 'say', 'say', 'add', 'add', 'remove', 'leave'),
  who: nat(OTHERS - 1),
});
/** Acts at the same time, one after the other. */
const life = array(array(act, { minLength: 1, maxLength: 3 }), {
  minLength: 4,
  maxLength: 16,
});

/** Does it; nothing where it was refused, or changed nothing. */
const does = async (room: string, one: Act): Promise<Left | undefined> => {
  const who = people[one.who]?.listens;
  if (!who) return undefined;
  const ways: Readonly<Record<Act['kind'], () => Promise<Accepted | Sent>>> = {
    say: () => who.client.send(room, 'said'),
    add: () => owner.client.addMembers(room, [who.userId]),
    remove: () => owner.client.removeMember(room, who.userId),
    leave: () => who.client.leave(room),
  };
  try {
    const done = await ways[one.kind]();
    if (done.duplicate) return undefined;
    const seq = 'seq' in done ? done.seq : Number(done.data['seq']);
    return { act: one, seq, position: done.position };
  } catch {
    // Who is not in it may neither say anything nor leave; the model has them out as well.
    return undefined;
  }
};

/** The model: who was in at each place; coming and going are still, and already, one's own. */
const mayHave = (events: readonly Left[], index: number): number[] => {
  let isIn = false;
  const seqs: number[] = [];
  for (const { act: one, seq } of events) {
    const isOwn = one.who === index && one.kind !== 'say';
    if (isOwn && one.kind === 'add') isIn = true;
    if (isIn) seqs.push(seq);
    if (isOwn && one.kind !== 'add') isIn = false;
  }
  return seqs;
};

const seqsIn = (room: string, facts: readonly Fact[]): number[] =>
  facts.filter(({ conversationId }) => conversationId === room).map(({ seq }) => seq);

const historyOf = async (room: string, { client }: Someone, minPosition: string) => {
  const seqs: number[] = [];
  for (let after = 0; ;) {
    const page = await client.history(room, { after, limit: PAGE, minPosition });
    seqs.push(...page.items.map(({ seq }) => seq));
    const last = page.items.at(-1);
    if (page.cursor === undefined || !last) return seqs;
    after = last.seq;
  }
};

/** Who never was in it is told that there is no such conversation. */
const asStranger = (error: unknown): number[] => {
  if (error instanceof ScriptaError && error.code === 'not_found') return [];
  throw error;
};

const liveIn = async (bursts: readonly (readonly Act[])[]) => {
  for (const { returns } of people) await returns.client.close();
  const { conversationId: room } = await owner.client.startGroup({ name: 'Room', members: [] });
  const left: Left[] = [];
  for (const burst of bursts) {
    const done = await Promise.all(burst.map((one) => does(room, one)));
    left.push(...done.filter((one) => one !== undefined));
  }
  const events = left.toSorted((one, other) => one.seq - other.seq);
  return { room, events, end: events.at(-1)?.position ?? '0' };
};

describe('what one may read', () => {
  it(`[Z20] [V9] is decided at the message's place: live, by resume and from history (seed ${SEED})`, async () => {
    const property = asyncProperty(life, async (bursts) => {
      const { room, events, end } = await liveIn(bursts);
      for (const { returns } of people) await returns.client.connect();
      for (const [index, { listens, returns }] of people.entries()) {
        const expected = mayHave(events, index);
        const enough = () =>
          [listens, returns].every(({ facts }) => seqsIn(room, facts).length >= expected.length);
        // What is missing, or too much, is shown below.
        await until(enough, 5_000).catch(() => undefined);
        expect(seqsIn(room, listens.facts), 'live').toEqual(expected);
        expect(seqsIn(room, returns.facts), 'by resume').toEqual(expected);
        const read = historyOf(room, listens, end).catch(asStranger);
        expect(await read, 'from history').toEqual(expected);
      }
    });
    await assert(property, { numRuns: RUNS, seed: SEED });
  }, 300_000);
});
