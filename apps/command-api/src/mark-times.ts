import { isPrivateMark, markKindOf, receiptStreamOf, type Mark } from '#domain';
import type { Ports } from '#commands';

/** Ticks of receipts read for one page, and in one go: those of the minute after a message. */
const TICKS_MAX = 200;
const TICKS_PER_READ = 50;

/** When marks first passed a message; absent where that lies further on than is read. */
export type MarkTimes = Readonly<{
  read: ReadonlyMap<string, string>;
  /** By user and device. */
  delivered: ReadonlyMap<string, string>;
}>;

/** A message, as far as marks concern it. */
export type Marked = Readonly<{ conversationId: string; seq: number; position: number }>;

/**
 * When a message was delivered and read, from the log: read models keep only how far marks are.
 * `expected` is how many of each there are to find.
 */
export const markTimes = async (
  { store, codec }: Pick<Ports, 'store' | 'codec'>,
  { conversationId, seq, position }: Marked,
  expected: Readonly<{ read: number; delivered: number }>,
): Promise<MarkTimes> => {
  const read = new Map<string, string>();
  const delivered = new Map<string, string>();
  const note = (marks: readonly Mark[], at: string): void => {
    for (const [conversation, user, device, kind, upTo] of marks) {
      if (conversation !== conversationId || upTo < seq || isPrivateMark(kind)) continue;
      const isRead = markKindOf(kind) === 'read';
      const times = isRead ? read : delivered;
      const key = isRead ? user : `${user}:${device}`;
      if (!times.has(key)) times.set(key, at);
    }
  };
  const isComplete = () => read.size >= expected.read && delivered.size >= expected.delivered;
  let after = position;
  for (let ticks = 0; ticks < TICKS_MAX && !isComplete(); ticks += TICKS_PER_READ) {
    const stream = receiptStreamOf(conversationId);
    const events = await store.readAll([stream], after, TICKS_PER_READ);
    for (const event of events) {
      const tick = await codec.decode(event, false);
      if (tick.type === 'MarksMoved') note(tick.data.marks, tick.data.at);
    }
    const last = events.at(-1);
    if (!last || events.length < TICKS_PER_READ) break;
    after = last.position;
  }
  return { read, delivered };
};
