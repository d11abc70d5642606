import type { Recorded } from '../decider.js';
import type { OwnEvent } from './events.js';

/** How the wire names what a person did for themselves. */
export const OWN_TYPES = {
  ConversationArranged: 'conversation.arranged',
  MessageSaved: 'message.saved',
  MessageUnsaved: 'message.unsaved',
  MessageScheduled: 'message.scheduled',
  MessageRescheduled: 'message.rescheduled',
  ScheduleReleased: 'schedule.released',
  ScheduleEnded: 'schedule.ended',
  MessageHidden: 'message.hidden',
  MessageUnhidden: 'message.unhidden',
  ThreadFollowed: 'thread.followed',
  ThreadUnfollowed: 'thread.unfollowed',
  ThreadRead: 'thread.read',
} as const satisfies Record<OwnEvent['type'], string>;

/** A draft was changed: no fact, so it has no place in the log. */
export const DRAFT_CHANGED = 'draft.changed';

/** The dotted name of one's own notice. */
export type OwnNoticeType = (typeof OWN_TYPES)[OwnEvent['type']] | typeof DRAFT_CHANGED;

/** What a person did for themselves, as their other devices are told of it. */
export type OwnNotice = Readonly<{
  v: 1;
  id: string;
  type: OwnNoticeType;
  /** Place in the log, a decimal string; a draft has none. */
  position?: string;
  at: string;
  /** The device that did it. */
  by?: string;
  conversationId: string;
  /** The message, or the one on which the thread hangs. */
  messageId?: string;
}>;

/** What the person's devices are told: what to fetch anew, not what it says. */
export const ownNoticeOf = (event: Recorded<OwnEvent>): OwnNotice => ({
  v: 1,
  id: event.id,
  type: OWN_TYPES[event.type],
  position: String(event.position),
  at: event.data.at,
  ...(event.data.origin.device === undefined ? {} : { by: event.data.origin.device }),
  conversationId: event.data.conversationId,
  ...('messageId' in event.data ? { messageId: event.data.messageId } : {}),
});
