import { event, open, optional, personal, stamp } from '../schema.js';
import { WAYS_IN } from './joining-events.js';
import { JOINING_ROLES, ROLES } from './roles.js';

const role = open.choice(...ROLES);
const least = optional(role);

/** What becomes of what was said in a conversation that is deleted. */
export const LEFT_BEHIND = ['kept', 'closed'] as const;

/** Who is in a conversation, who may do what, what it is called. */
export const groupEvents = {
  /** At most `MEMBERS_PER_EVENT_MAX`, so that an event stays small whatever the group's size. */
  MembersAdded: {
    ...event({
      ...stamp,
      conversationId: open.uuid,
      members: open.uuids,
      role: open.choice(...JOINING_ROLES),
      /** How they came, where nobody simply added them. */
      via: optional(open.choice(...WAYS_IN)),
      inviteId: optional(open.uuid),
      invitedBy: optional(open.uuid),
      /** They read what was said before; else only what comes after this. */
      history: optional(open.choice('all')),
    }),
    version: 2,
  },
  MemberRemoved: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  MemberLeft: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  RoleChanged: {
    ...event({ ...stamp, conversationId: open.uuid, userId: open.uuid, role }),
    version: 2,
  },
  /** Removed, if they were in it, and not back before a time; without one never. */
  MemberBanned: event({
    ...stamp,
    conversationId: open.uuid,
    userId: open.uuid,
    until: optional(open.time),
    /** Whether they were in it until now. */
    wasIn: open.choice('yes', 'no'),
  }),
  MemberUnbanned: event({ ...stamp, conversationId: open.uuid, userId: open.uuid }),
  ConversationRenamed: event({ ...stamp, conversationId: open.uuid, name: personal.text }),
  /** What it is about and its picture; what is absent stays, an empty text takes it away. */
  ConversationDescribed: event({
    ...stamp,
    conversationId: open.uuid,
    description: optional(personal.text),
    image: optional(personal.text),
  }),
  /** The least role for each thing that is named; what is absent stays. */
  PermissionsChanged: event({
    ...stamp,
    conversationId: open.uuid,
    send: least,
    media: least,
    mention_all: least,
    pin: least,
    invite: least,
    add: least,
    remove: least,
    ban: least,
    delete_others: least,
    info: least,
    roles: least,
    configure: least,
  }),
  /** How fast may be said what: 0 is no limit; what is absent stays. */
  PaceChanged: event({
    ...stamp,
    conversationId: open.uuid,
    /** Seconds that a member waits after each message. */
    slowModeS: optional(open.integer),
    /** Messages that all members together say in a minute. */
    perMinute: optional(open.integer),
  }),
  /** The end of it; `MembersDismissed` for all who are in it follow in the same breath. */
  ConversationDeleted: event({
    ...stamp,
    conversationId: open.uuid,
    history: open.choice(...LEFT_BEHIND),
  }),
  /** At most `MEMBERS_PER_EVENT_MAX` who are in it no longer, because it is deleted. */
  MembersDismissed: event({
    ...stamp,
    conversationId: open.uuid,
    members: open.uuids,
    history: open.choice(...LEFT_BEHIND),
  }),
} as const;
