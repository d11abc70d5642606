import { event, open, optional, personal, stamp, type EventOf } from '../schema.js';
import { groupEvents } from './group-events.js';
import { joiningEvents } from './joining-events.js';
import { messageEvents } from './message-events.js';

/** What a conversation is: between two, among members, or from admins to an audience. */
export const CONVERSATION_KINDS = ['direct', 'group', 'broadcast'] as const;

/** Everything that can have happened in `conversation-<uuid>`; an event's revision is its `seq`. */
export const conversationEvents = {
  ConversationStarted: event({
    ...stamp,
    conversationId: open.uuid,
    kind: open.choice(...CONVERSATION_KINDS),
    name: optional(personal.text),
  }),
  ...groupEvents,
  ...joiningEvents,
  ...messageEvents,
} as const;

/** A fact of a conversation. */
export type ConversationEvent = EventOf<typeof conversationEvents>;
/** direct, group or broadcast. */
export type ConversationKind = (typeof CONVERSATION_KINDS)[number];
