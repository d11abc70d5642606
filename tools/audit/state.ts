import {
  beginOf,
  audience,
  claim,
  conversation,
  memberKey,
  members,
  receipts,
  receiptStreamOf,
  user,
  type ConversationEvent,
  type Decider,
  type HeardEvent,
  type MemberView,
  type ReceiptEvent,
  type ReceiptView,
  type Recorded,
  type ScriptaEvent,
  own,
} from '#domain';
import type { LogEvent } from '#platform';
import type { OpenLog } from './log.js';

const PAGE_EVENTS = 2_000;

/** A moment to look at: a place in the stream, in the log, or a time; all of it where none is said. */
export type Moment = Readonly<{ seq?: number; position?: number; timeMs?: number }>;

/** What was true of a stream, and what it was folded from. */
export type StateAt = Readonly<{
  stream: string;
  /** The last event that counts: -1 where there was none yet. */
  seq: number;
  position: number;
  at: string | undefined;
  /** Events folded, and the place of the snapshot before them; -1 without one. */
  folded: number;
  snapshot: number;
  /** Revisions that are missing, where the log was truncated. */
  missing: number;
  state: unknown;
}>;

type AnyDecider = Decider<object, never, ScriptaEvent>;

/** The folds of commands, by what their streams begin with. */
// Each is handed only states and events of its own streams.
// oxlint-disable-next-line typescript/no-unsafe-type-assertion
const DECIDERS = [
  ['conversation-', conversation],
  ['audience-', audience],
  ['user-', user],
  ['claim-', claim],
  ['own-', own],
] as unknown as readonly (readonly [prefix: string, decider: AnyDecider])[];

/** The stream that a text names: a conversation's id is enough. */
export const streamNamed = (text: string): string =>
  DECIDERS.some(([prefix]) => text.startsWith(prefix)) ? text : `conversation-${text}`;

/** Sets and maps as JSON has them. */
const plain = (value: unknown): unknown => {
  if (value instanceof Map)
    return Object.fromEntries([...value].map(([key, one]) => [String(key), plain(one)]));
  if (value instanceof Set) return [...value].map(plain);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
};

const isWithin = ({ revision, position, data }: LogEvent, moment: Moment): boolean =>
  revision <= (moment.seq ?? Infinity) &&
  position <= (moment.position ?? Infinity) &&
  // An event that does not say when is as old as the one before it.
  !(Date.parse(String(data['at'])) > (moment.timeMs ?? Infinity));

/** A stream's events up to a moment; it ends at the first that is later. */
async function* until(
  { store }: OpenLog,
  stream: string,
  from: number,
  moment: Moment,
): AsyncGenerator<LogEvent, void> {
  let reading = store.read(stream, from, PAGE_EVENTS);
  for (;;) {
    const page = await reading;
    const last = page.at(-1);
    if (last && page.length === PAGE_EVENTS) {
      // The log reads on while this page is folded.
      reading = store.read(stream, last.revision + 1, PAGE_EVENTS);
      reading.catch(() => {
        // Whoever asks for the next page is told.
      });
    }
    for (const event of page) {
      if (!isWithin(event, moment)) return;
      yield event;
    }
    if (page.length < PAGE_EVENTS) return;
  }
}

/** A state on its way, and the event that it has come to. */
type Folded = { state: object; revision: number; position: number; at: string | undefined };

const isRecord = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A snapshot does not say of what time it is. */
const isUsable = (
  { revision, position }: Folded,
  { seq, position: end, timeMs }: Moment,
): boolean =>
  timeMs === undefined && revision <= (seq ?? Infinity) && position <= (end ?? Infinity);

/** The snapshot of a stream, if it is not later than the moment. */
const snapshotOf = async (
  { store }: OpenLog,
  stream: string,
  { snapshots }: AnyDecider,
  moment: Moment,
): Promise<Folded | undefined> => {
  const kept = snapshots && (await store.last(`snapshot-${stream}`));
  if (!kept) return undefined;
  const { version, state, revision, position } = kept.data;
  if (version !== snapshots.version || !isRecord(state)) return undefined;
  const place = { revision: Number(revision), position: Number(position), at: undefined };
  const begun = { ...place, state: snapshots.thaw(state) };
  return isUsable(begun, moment) ? begun : undefined;
};

const deciderOf = (stream: string): AnyDecider => {
  const decider = DECIDERS.find(([prefix]) => stream.startsWith(prefix))?.[1];
  if (decider) return decider;
  throw new Error(`${stream} has no state: it is no fact of one person or place.`);
};

/** What was true of a stream at a moment: the very fold that commands are decided by. */
export const stateAt = async (
  log: OpenLog,
  stream: string,
  moment: Moment,
  fromZero = false,
): Promise<StateAt> => {
  const decider = deciderOf(stream);
  const begun = fromZero ? undefined : await snapshotOf(log, stream, decider, moment);
  const blank: Folded = { state: decider.initial(), revision: -1, position: -1, at: undefined };
  const now = begun ?? blank;
  const snapshot = now.revision;
  let [folded, missing] = [0, 0];
  for await (const logged of until(log, stream, snapshot + 1, moment)) {
    const event = await log.codec.decode(logged, log.keys !== undefined);
    missing += logged.revision - now.revision - 1;
    now.state = decider.evolve(now.state, event, logged.revision);
    now.revision = logged.revision;
    now.position = logged.position;
    now.at = String(logged.data['at']);
    folded += 1;
  }
  const { revision: seq, position, at } = now;
  const state = plain(now.state);
  return { stream, seq, position, at, folded, snapshot, missing, state };
};

/** One person's place in a conversation at a moment: membership, marks, and what was unread. */
export type MemberAt = Readonly<{
  userId: string;
  membership: MemberView;
  receipt: ReceiptView | undefined;
  /** Messages that were not read; nothing where one was not in it. */
  badge: number | undefined;
}>;

type Folding = {
  number: number;
  members: Map<string, MemberView>;
  receipts: Map<string, ReceiptView>;
};

const startOfStay = ({ intervals }: MemberView): number => {
  const stay = intervals.at(-1);
  return stay ? beginOf(stay) : 0;
};

/** Messages said before a position: those before one's stay are not unread. */
type Said = { position: number; number: number }[];

const numberBefore = (said: Said, position: number): number => {
  let [low, high] = [0, said.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((said[middle]?.position ?? 0) < position) low = middle + 1;
    else high = middle;
  }
  return said[low - 1]?.number ?? 0;
};

const take = (folding: Folding, event: Recorded<HeardEvent>, only?: string): void => {
  for (const key of members.keysOf(event)) {
    if (only !== undefined && key !== only) continue;
    const next = members.evolve(folding.members.get(key), event, key);
    if (next) folding.members.set(key, next);
  }
};

const mark = (
  folding: Folding,
  event: Recorded<ConversationEvent | ReceiptEvent>,
  conversationId: string,
  only?: string,
): void => {
  for (const key of receipts.keysOf(event)) {
    if (!key.startsWith(conversationId) || (only !== undefined && key !== only)) continue;
    const next = receipts.evolve(folding.receipts.get(key), event, key);
    if (next) folding.receipts.set(key, next);
  }
};

/** Who was in a conversation at a moment, how far each had read, and their badges. */
export const membersAt = async (
  log: OpenLog,
  conversationId: string,
  moment: Moment,
  userId?: string,
): Promise<readonly MemberAt[]> => {
  const folding: Folding = { number: 0, members: new Map(), receipts: new Map() };
  const said: Said = [];
  const only = userId === undefined ? undefined : memberKey(conversationId, userId);
  const { seq: _seq, ...elsewhere } = moment;
  const end = moment.seq === undefined ? elsewhere : await placeOfSeq(log, conversationId, moment);
  const streams = [`conversation-${conversationId}`, `audience-${conversationId}`];
  for (const stream of streams)
    for await (const logged of until(log, stream, 0, end)) {
      const event = await log.codec.decode(logged, false);
      // These streams hold nothing else.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      take(folding, event as Recorded<HeardEvent>, only);
      if (event.type !== 'MessageSent') continue;
      folding.number = event.data.number;
      said.push({ position: event.position, number: event.data.number });
      mark(folding, event, conversationId, only);
    }
  for await (const logged of until(log, receiptStreamOf(conversationId), 0, end)) {
    const event = await log.codec.decode(logged, false);
    if (event.type === 'MarksMoved') mark(folding, event, conversationId, only);
  }
  return [...folding.members].map(([key, membership]) => {
    const receipt = folding.receipts.get(key);
    const isIn = membership.role !== undefined;
    const before = numberBefore(said, startOfStay(membership));
    const badge = folding.number - Math.max(before, receipt?.readNumber ?? 0);
    return { userId: membership.userId, membership, receipt, badge: isIn ? badge : undefined };
  });
};

/** The position of a seq: what other streams hold after it was not there yet. */
const placeOfSeq = async (
  { store }: OpenLog,
  conversationId: string,
  { seq = 0 }: Moment,
): Promise<Moment> => {
  const [event] = await store.read(`conversation-${conversationId}`, seq, 1);
  return event ? { position: event.position } : {};
};

/** A field that is not the same in two states. */
export type Changed = Readonly<{ path: string; before: unknown; after: unknown }>;

/** What differs between two values, by the path of each field. */
export const differences = (before: unknown, after: unknown, path = ''): readonly Changed[] => {
  if (Object.is(before, after)) return [];
  const isDeep = [before, after].every((value) => typeof value === 'object' && value !== null);
  if (!isDeep) return [{ path, before, after }];
  const [one, other] = [Object.entries(before ?? {}), Object.entries(after ?? {})].map(
    (entries) => new Map<string, unknown>(entries),
  );
  const names = new Set([...(one?.keys() ?? []), ...(other?.keys() ?? [])]);
  return [...names].flatMap((name) =>
    differences(one?.get(name), other?.get(name), path === '' ? name : `${path}.${name}`),
  );
};
