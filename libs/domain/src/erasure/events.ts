import { event, open, optional, stamp, type EventOf } from '../schema.js';

/** The one stream of all erasures: what a process reads first, so that nobody erased is served. */
export const ERASURES_STREAM = 'erasures';

/** Why somebody is erased. A free text could name the person again. */
export const ERASURE_REASONS = ['asked', 'account_deleted', 'retention', 'court_order'] as const;

/** Whose keys are destroyed: the order stands in the log before anything is erased. */
export const erasureEvents = {
  /** The claims name what the person held, while that can still be read. */
  ErasureOrdered: event({
    ...stamp,
    userId: open.uuid,
    reason: open.choice(...ERASURE_REASONS),
    phoneClaim: optional(open.text),
    usernameClaim: optional(open.text),
  }),
  /** Every store is done; `certificate` is the SHA-256 (hex) of what says so. */
  ErasureCompleted: event({ ...stamp, userId: open.uuid, certificate: open.text }),
} as const;

/** A fact about erasures. */
export type ErasureEvent = EventOf<typeof erasureEvents>;
/** asked, account_deleted, retention or court_order. */
export type ErasureReason = (typeof ERASURE_REASONS)[number];
