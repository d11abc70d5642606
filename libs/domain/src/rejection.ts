/** Every reason for which Scripta refuses; stable, snake_case, the same on every wire. */
export const REJECTION_CODES = [
  'already_exists',
  'already_a_member',
  'approval_required',
  'bad_request',
  'behind',
  'code_expired',
  'conflict',
  'conversation_full',
  'forbidden',
  'id_reused',
  'invalid',
  'not_found',
  'out_of_order',
  'rate_limited',
  'resync_required',
  'too_large',
  'too_late',
  'too_many_devices',
  'unauthorized',
  'unavailable',
  'unknown_event',
  'username_taken',
  'wrong_code',
] as const;

/** A stable code a client can branch on. */
export type RejectionCode = (typeof REJECTION_CODES)[number];

/** A refusal the caller may read: expected, coded, never a bug. */
export class Rejection extends Error {
  override readonly name = 'Rejection';

  constructor(
    readonly code: RejectionCode,
    message: string,
    readonly details: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** Refuses, with a sentence that says what was wrong and how to mend it. */
export const reject = (
  code: RejectionCode,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): never => {
  throw new Rejection(code, message, details);
};
