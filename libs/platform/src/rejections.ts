import type { RejectionCode } from '#domain';

/** How a refusal reads on the wires: its HTTP status, and whether trying again may help. */
export type Refusal = Readonly<{ http: number; retryable: boolean }>;

const final = (http: number): Refusal => ({ http, retryable: false });
const later = (http: number): Refusal => ({ http, retryable: true });

/** The one table from a refusal's code to its answer; a new code does not compile until placed. */
export const REJECTION_STATUS: Readonly<Record<RejectionCode, Refusal>> = {
  already_a_member: final(409),
  already_exists: final(409),
  approval_required: later(403),
  bad_request: final(400),
  behind: later(503),
  code_expired: final(401),
  conflict: final(409),
  conversation_full: final(409),
  forbidden: final(403),
  id_reused: final(409),
  invalid: final(422),
  not_found: final(404),
  out_of_order: final(409),
  rate_limited: later(429),
  resync_required: final(409),
  too_large: final(413),
  too_late: final(409),
  too_many_devices: final(409),
  unauthorized: final(401),
  unavailable: later(503),
  unknown_event: final(400),
  username_taken: final(409),
  wrong_code: final(401),
};
