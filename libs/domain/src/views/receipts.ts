import type { ConversationEvent } from '../conversation/events.js';
import type { Recorded } from '../decider.js';
import type { Projection } from '../projection.js';
import { isPrivateMark, markKindOf, type Mark, type ReceiptEvent } from '../receipts/events.js';
import { memberKey } from './members.js';

/** How far one person has got in one conversation; id `<conversation>:<user>`. */
export type ReceiptView = Readonly<{
  conversationId: string;
  userId: string;
  /** Seq and number of messages at the read mark; -1 and 0 before the first. */
  read: number;
  readNumber: number;
  /** What others are shown, where the person reads privately. */
  shown?: Readonly<{ read: number; readNumber: number }>;
  /** Seq delivered, by device id. */
  delivered: Readonly<Record<string, number>>;
  at: string;
}>;

/** How far others may know that a person has read. */
export const shownRead = ({
  shown,
  read,
  readNumber,
}: Pick<ReceiptView, 'read' | 'readNumber' | 'shown'>): NonNullable<ReceiptView['shown']> =>
  shown ?? { read, readNumber };

const before = (conversationId: string, userId: string, at: string): ReceiptView => ({
  conversationId,
  userId,
  read: -1,
  readNumber: 0,
  delivered: {},
  at,
});

const seen = (view: ReceiptView, [, , , kind, seq, number]: Mark): ReceiptView => {
  const { shown: _shown, read, readNumber, ...others } = view;
  const told = shownRead(view);
  const isFurther = seq > read;
  const isTold = seq > told.read && !isPrivateMark(kind);
  if (!isFurther && !isTold) return view;
  const mark = { read: seq, readNumber: number };
  const own = isFurther ? mark : { read, readNumber };
  const byAll = isTold ? mark : told;
  return { ...others, ...own, ...(byAll.read === own.read ? {} : { shown: byAll }) };
};

const moved = (view: ReceiptView, mark: Mark): ReceiptView => {
  const [, , device, kind, seq] = mark;
  if (markKindOf(kind) === 'read') return seen(view, mark);
  return seq > (view.delivered[device] ?? -1)
    ? { ...view, delivered: { ...view.delivered, [device]: seq } }
    : view;
};

const grouped = new WeakMap<readonly Mark[], ReadonlyMap<string, readonly Mark[]>>();

/** A tick's marks by member, grouped once: a tick of 1,000 marks is asked for 1,000 documents. */
const marksByMember = (marks: readonly Mark[]): ReadonlyMap<string, readonly Mark[]> => {
  let groups = grouped.get(marks);
  if (!groups) {
    groups = Map.groupBy(marks, ([conversation, user]) => memberKey(conversation, user));
    grouped.set(marks, groups);
  }
  return groups;
};

/** One document per member: the marks, which only move forward. Sending moves one's own pointer. */
export const receipts: Projection<ReceiptView, ConversationEvent | ReceiptEvent> = {
  name: 'receipts',
  streams: ['conversation-', 'receipts-'],
  indexes: [{ key: { userId: 1, position: 1 } }, { key: { conversationId: 1, position: 1 } }],
  keysOf: (event: Recorded<ConversationEvent | ReceiptEvent>) => {
    // Who answers in a thread has not read all that was said beside it.
    if (event.type === 'MessageSent' && event.data.thread !== undefined) return [];
    if (event.type === 'MessageSent') return [memberKey(event.data.conversationId, event.data.by)];
    return event.type === 'MarksMoved' ? [...marksByMember(event.data.marks).keys()] : [];
  },
  evolve: (view, event, key) => {
    const [conversationId = '', userId = ''] = key.split(':');
    const start = view ?? before(conversationId, userId, event.data.at);
    if (event.type === 'MessageSent') {
      // Who says something is seen to be there.
      const { shown: _shown, ...others } = start;
      const read = { read: event.revision, readNumber: event.data.number };
      return { ...others, ...read, at: event.data.at };
    }
    if (event.type !== 'MarksMoved') return view;
    const next = (marksByMember(event.data.marks).get(key) ?? []).reduce(moved, start);
    return next === start ? start : { ...next, at: event.data.at };
  },
};
