import { event, open, optional, personal, stamp, type EventOf } from '../schema.js';
import { messageEvents } from './message-events.js';

/** What a conversation is: between two, among members, or from admins to an audience. */
export const CONVERSATION_KINDS = ['direct', 'group', 'broadcast'] as const;
/** What a member may do. An owner is an admin who cannot be removed. */
export const ROLES = ['owner', 'admin', 'member'] as const;

/** Everything that can have happened in `conversation-<uuid>`; an event's revision is its `seq`. */
export const conversationEvents = {
  ConversationStarted: event({
    ...stamp,
    conversationId: open.uuid,
    kind: open.choice(...CONVERSATION_KINDS),
    name: optional(personal.text),
  }),
  /** At most `MEMBERS_PER_EVENT_MAX`, so that an event stays small whatever the group's size. */
  MembersAdded: event({
    ...stamp,
    conversationId: open.uuid,
    members: open.uuids,
    role: open.choice(...ROLES),
  }),
  MemberRemoved: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  MemberLeft: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  RoleChanged: event({
    ...stamp,
    conversationId: open.uuid,
    userId: open.uuid,
    role: open.choice(...ROLES),
  }),
  ConversationRenamed: event({ ...stamp, conversationId: open.uuid, name: personal.text }),
  ...messageEvents,
} as const;

/** A fact of a conversation. */
export type ConversationEvent = EventOf<typeof conversationEvents>;
/** direct, group or broadcast. */
export type ConversationKind = (typeof CONVERSATION_KINDS)[number];
/** owner, admin or member. */
export type Role = (typeof ROLES)[number];
