import { event, open, stamp, type EventOf } from '../schema.js';

/** Who follows a broadcast: `audience-<conversation uuid>`; its admins are in the conversation. */
export const audienceEvents = {
  BroadcastFollowed: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  BroadcastUnfollowed: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
} as const;

/** A fact about a broadcast's audience. */
export type AudienceEvent = EventOf<typeof audienceEvents>;
