import { open, type EventOf } from '../schema.js';

/** What a mark says: it reached a device, or a person saw it. */
export const MARK_KINDS = ['delivered', 'read'] as const;
/** One of them. */
export type MarkKind = (typeof MARK_KINDS)[number];

/** A mark's kind as it stands in the log: what was read may be nobody else's business. */
const LOGGED_KINDS = [...MARK_KINDS, 'read_privately'] as const;

/** A kind's number in a row of the log. */
export const loggedKind = (kind: MarkKind, isPrivate = false): number =>
  LOGGED_KINDS.indexOf(kind === 'read' && isPrivate ? 'read_privately' : kind);

/** What a row's number stands for. */
export const markKindOf = (logged: number): MarkKind =>
  LOGGED_KINDS[logged] === 'delivered' ? 'delivered' : 'read';

/** Whether a row is only for the person's own devices. */
export const isPrivateMark = (logged: number): boolean => LOGGED_KINDS[logged] === 'read_privately';

/** Marks one event may carry: about 64 KiB as JSON. */
export const MARKS_PER_EVENT_MAX = 1_000;
/** Shards of the receipts: `receipts-00` to `receipts-3f`, by conversation. */
export const RECEIPT_SHARDS = 64;

/**
 * Registers, not decisions: marks only move forward and reactions overwrite, so they are appended
 * without loading anything.
 * A mark's row is conversation, user, device, kind (`loggedKind`), seq, and the number of
 * messages at that seq (0 for delivered).
 */
export const receiptEvents = {
  MarksMoved: {
    version: 1,
    subject: '',
    fields: {
      at: open.time,
      marks: open.rows('uuid', 'uuid', 'uuid', 'integer', 'integer', 'integer'),
    },
  },
  /**
   * What people feel about messages: of one person and message the last row holds. A row is
   * conversation, user, message, the message's seq, and the emoji; an empty one takes it away.
   */
  ReactionsSet: {
    version: 1,
    subject: '',
    fields: {
      at: open.time,
      reactions: open.rows('uuid', 'uuid', 'uuid', 'integer', 'text'),
    },
  },
} as const;

/** A tick of registers: marks, or reactions. */
export type ReceiptEvent = EventOf<typeof receiptEvents>;
/** A tick of marks. */
export type MarksMoved = Extract<ReceiptEvent, { type: 'MarksMoved' }>;
/** A tick of reactions. */
export type ReactionsSet = Extract<ReceiptEvent, { type: 'ReactionsSet' }>;
/** conversation, user, device, kind, seq, number. */
export type Mark = MarksMoved['data']['marks'][number];
/** conversation, user, message, seq, emoji. */
export type Reaction = ReactionsSet['data']['reactions'][number];

/** The receipts stream of a conversation. */
export const receiptStreamOf = (conversationId: string): string => {
  const shard = Number.parseInt(conversationId.slice(0, 2), 16) % RECEIPT_SHARDS;
  return `receipts-${shard.toString(16).padStart(2, '0')}`;
};
