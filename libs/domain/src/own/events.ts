import { event, open, optional, personal, stamp, type EventOf } from '../schema.js';
import { readingEvents } from './reading-events.js';
import { scheduleEvents } from './schedule-events.js';

/** Whether something is so. */
export const ANSWERS = ['yes', 'no'] as const;

/** What a person keeps for themselves: `own-<user uuid>`; nobody else ever hears of it. */
export const ownEvents = {
  /** How the person has a conversation in their list; what is absent stays as it is. */
  ConversationArranged: event({
    ...stamp,
    userId: open.uuid,
    conversationId: open.uuid,
    /** Silent until then; a time that has passed is not muted. */
    mutedUntil: optional(open.time),
    archived: optional(open.choice(...ANSWERS)),
    pinned: optional(open.choice(...ANSWERS)),
    markedUnread: optional(open.choice(...ANSWERS)),
    /** A JSON array of the names of all folders that it is in now. */
    folders: optional(personal.text),
    /** A flat JSON object; null takes a setting away. */
    settings: optional(personal.text),
  }),
  MessageSaved: event({
    ...stamp,
    userId: open.uuid,
    conversationId: open.uuid,
    messageId: open.uuid,
    note: optional(personal.text),
  }),
  MessageUnsaved: event({
    ...stamp,
    userId: open.uuid,
    conversationId: open.uuid,
    messageId: open.uuid,
  }),
  ...scheduleEvents,
  ...readingEvents,
} as const;

/** A fact that is only its person's. */
export type OwnEvent = EventOf<typeof ownEvents>;
/** yes or no. */
export type Answer = (typeof ANSWERS)[number];
