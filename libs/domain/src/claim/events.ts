import { event, open, stamp, type EventOf } from '../schema.js';

/** Who holds a phone number or username: `claim-<kind>-<HMAC of the value>`. */
export const claimEvents = {
  ClaimMade: event({ ...stamp, holder: open.uuid }),
  ClaimReleased: event({ ...stamp, holder: open.uuid }),
} as const;

/** A fact about one unique value. */
export type ClaimEvent = EventOf<typeof claimEvents>;
