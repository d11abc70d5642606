import { event, open, optional, stamp, type EventOf } from '../schema.js';

/** Who holds a phone number or username: `claim-<kind>-<HMAC of the value>`. */
export const claimEvents = {
  /**
   * Made, or made anew by who holds it. `asOf`: the revision of the holder's own stream that it rests
   * on; that the holder had left the value before then counts no more.
   */
  ClaimMade: {
    ...event({ ...stamp, holder: open.uuid, asOf: optional(open.integer) }),
    version: 2,
  },
  ClaimReleased: event({ ...stamp, holder: open.uuid }),
} as const;

/** A fact about one unique value. */
export type ClaimEvent = EventOf<typeof claimEvents>;
