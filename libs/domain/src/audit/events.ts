import { open, type EventOf } from '../schema.js';

/** Whether an auditor saw what is sealed. */
export const ACCESS_KINDS = ['sealed', 'opened'] as const;

/** What the platform says of its own log, in `audit-heads` and `audit-access`. */
export const auditEvents = {
  /** A signed head over the log's first `size` leaves; see docs/reference/log-format.md. */
  TreeHeadSigned: {
    version: 1,
    subject: '',
    fields: {
      at: open.time,
      size: open.integer,
      root: open.text,
      position: open.integer,
      key: open.text,
      signature: open.text,
      publicKey: open.text,
    },
  },
  /**
   * An auditor looked at events: who, what for, which (`scope`), and between which positions of the
   * log; `to` is -1 where the end was left open.
   */
  RangeReplayed: {
    version: 1,
    subject: '',
    fields: {
      at: open.time,
      who: open.text,
      purpose: open.text,
      scope: open.text,
      from: open.integer,
      to: open.integer,
      content: open.choice(...ACCESS_KINDS),
    },
  },
} as const;

/** A fact about the log itself. */
export type AuditEvent = EventOf<typeof auditEvents>;

/** Where signed heads stand. */
export const HEADS_STREAM = 'audit-heads';
/** Where it stands who looked at what. */
export const ACCESS_STREAM = 'audit-access';
