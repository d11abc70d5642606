import { open, type EventOf } from '../schema.js';

/** A mark's kind as it stands in the log: it reached a device, or a person saw it. */
export const MARK_KINDS = ['delivered', 'read'] as const;

/** Marks one event may carry: about 64 KiB as JSON. */
export const MARKS_PER_EVENT_MAX = 1_000;
/** Shards of the receipts: `receipts-00` to `receipts-3f`, by conversation. */
export const RECEIPT_SHARDS = 64;

/**
 * Registers, not decisions: marks only move forward, so they are appended without loading anything.
 * A row is conversation, user, device, kind (index in `MARK_KINDS`), seq, and the number of
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
} as const;

/** A tick of receipts. */
export type ReceiptEvent = EventOf<typeof receiptEvents>;
/** conversation, user, device, kind, seq, number. */
export type Mark = ReceiptEvent['data']['marks'][number];

/** The receipts stream of a conversation. */
export const receiptStreamOf = (conversationId: string): string => {
  const shard = Number.parseInt(conversationId.slice(0, 2), 16) % RECEIPT_SHARDS;
  return `receipts-${shard.toString(16).padStart(2, '0')}`;
};
