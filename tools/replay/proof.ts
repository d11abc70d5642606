import type { Fact } from '#client';
import { progress } from '../terminal/progress.js';
import { inTurns, type Actor, type Shown } from './cast.js';
import type { Played, Room } from './play.js';

/** Deliveries still under way may take this long after the last acknowledgement (ms). */
const SETTLE_MS_MAX = 60_000;
const LOOK_MS = 100;
/** Reads under way at once. */
const READS_AT_ONCE = 8;
/** Characters of the last message that a list shows. */
const EXCERPT_CHARS = 200;

/** What the proof found; `differences` says each thing that is off. */
export type Proof = {
  delivered: number;
  lost: number;
  duplicated: number;
  misordered: number;
  differences: string[];
};

const fresh = ({ played }: Room): readonly Played[] => played.filter(({ isOld }) => !isOld);

const settled = (rooms: readonly Room[]): boolean =>
  rooms.every((room) => {
    const count = fresh(room).length;
    return room.members.every(
      ({ shown }) => (shown.get(room.conversationId)?.length ?? 0) >= count,
    );
  });

const settle = async (rooms: readonly Room[]): Promise<void> => {
  const end = performance.now() + SETTLE_MS_MAX;
  while (!settled(rooms) && performance.now() < end)
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_MS);
    });
};

const checkDevice = (room: Room, actor: Actor, proof: Proof): void => {
  const shown: readonly Shown[] = actor.shown.get(room.conversationId) ?? [];
  const expected = fresh(room);
  const texts = new Map(shown.map(({ messageId, text }) => [messageId, text]));
  const where = `${actor.name} in ${room.name}`;
  proof.delivered += texts.size;
  proof.duplicated += shown.length - texts.size;
  if (shown.length > texts.size)
    proof.differences.push(`${where}: ${shown.length - texts.size} shown twice`);
  for (const [at, { seq }] of shown.entries()) {
    const before = shown[at - 1];
    if (!before || before.seq < seq) continue;
    proof.misordered += 1;
    proof.differences.push(`${where}: seq ${seq} came after ${before.seq}`);
  }
  for (const { messageId, message, seq } of expected) {
    const text = texts.get(messageId);
    if (text === undefined) proof.lost += 1;
    if (text === message.text) continue;
    const what = text === undefined ? 'never came' : `came as ${JSON.stringify(text)}`;
    proof.differences.push(`${where}: ${message.id} (seq ${seq}) ${what}`);
  }
};

type Reader = Actor['client'];

const wholeHistory = async (
  client: Reader,
  conversationId: string,
  minPosition: string,
): Promise<readonly Fact[]> => {
  const facts: Fact[] = [];
  // What comes after the first fact, which is the group's beginning.
  for (let after = 0; ;) {
    const page = await client.history(conversationId, { after, limit: 100, minPosition });
    facts.push(...page.items);
    const last = page.items.at(-1);
    if (!last) return facts;
    after = last.seq;
  }
};

const checkHistory = async (room: Room, proof: Proof): Promise<void> => {
  const [reader] = room.members;
  const last = room.played.at(-1);
  if (!reader || !last) return;
  const facts = await wholeHistory(reader.client, room.conversationId, last.position);
  const said = facts.flatMap((fact) => (fact.type === 'message.sent' ? [fact] : []));
  for (const [at, { message, messageId, seq }] of room.played.entries()) {
    const found = said[at];
    if (found?.id === messageId && found.seq === seq && found.data.text === message.text) continue;
    const is = found ? `${found.id} (seq ${found.seq})` : 'missing';
    proof.differences.push(`History of ${room.name}: message ${at + 1}, ${message.id}, is ${is}`);
  }
  if (said.length !== room.played.length)
    proof.differences.push(
      `History of ${room.name} has ${said.length} messages, the file ${room.played.length}`,
    );
};

/** Sending moves one's own mark, so what came after one's last message is unread. */
const unreadOf = ({ played }: Room, { name }: Actor): number =>
  played.length - 1 - played.findLastIndex(({ message }) => message.author === name);

const checkList = async (rooms: readonly Room[], actor: Actor, proof: Proof): Promise<void> => {
  const own = rooms.filter(({ members }) => members.includes(actor));
  const newest = own
    .map(({ played }) => BigInt(played.at(-1)?.position ?? 0))
    .reduce((one, other) => (one > other ? one : other), 0n);
  const query = { limit: 100, minPosition: String(newest) };
  const { items } = await actor.client.conversations(query);
  for (const room of own) {
    const item = items.find(({ conversationId }) => conversationId === room.conversationId);
    const said = room.played.at(-1)?.message.text ?? '';
    const expected = {
      number: room.played.length,
      unread: unreadOf(room, actor),
      last: Array.from(said).slice(0, EXCERPT_CHARS).join(''),
    };
    const found = { number: item?.number, unread: item?.unread, last: item?.last?.text };
    if (JSON.stringify(found) === JSON.stringify(expected)) continue;
    proof.differences.push(
      `${actor.name}'s list, ${room.name}: ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`,
    );
  }
};

/** Checks devices, history and lists against the file. */
export const prove = async (
  rooms: readonly Room[],
  cast: ReadonlyMap<string, Actor>,
): Promise<Proof> => {
  const proof: Proof = { delivered: 0, lost: 0, duplicated: 0, misordered: 0, differences: [] };
  await settle(rooms);
  const actors = [...cast.values()];
  const shown = progress('Check', rooms.length + actors.length);
  for (const room of rooms) for (const actor of room.members) checkDevice(room, actor, proof);
  await inTurns(rooms, READS_AT_ONCE, async (room) => {
    await checkHistory(room, proof);
    shown.step();
  });
  await inTurns(actors, READS_AT_ONCE, async (actor) => {
    await checkList(rooms, actor, proof);
    shown.step();
  });
  shown.end();
  return proof;
};
