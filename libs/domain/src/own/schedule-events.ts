import { event, open, optional, personal, stamp } from '../schema.js';

/** How a scheduled message ended; `left`: its sender was no member of the conversation any more. */
export const SCHEDULE_OUTCOMES = ['sent', 'cancelled', 'left', 'refused'] as const;
/** One of them. */
export type ScheduleOutcome = (typeof SCHEDULE_OUTCOMES)[number];

const about = { userId: open.uuid, conversationId: open.uuid, scheduleId: open.uuid };

/** Messages that are to be said later. */
export const scheduleEvents = {
  /** `message` is the RFC 8785 form of its parts, as a device would send them. */
  MessageScheduled: event({ ...stamp, ...about, sendAt: open.time, message: personal.text }),
  /** What is absent stays as it is. */
  MessageRescheduled: event({
    ...stamp,
    ...about,
    sendAt: optional(open.time),
    message: optional(personal.text),
  }),
  /** Its time has come: it is on its way, and can be neither changed nor cancelled. */
  ScheduleReleased: event({ ...stamp, ...about }),
  /** `code` is why it was refused. */
  ScheduleEnded: event({
    ...stamp,
    ...about,
    outcome: open.choice(...SCHEDULE_OUTCOMES),
    code: optional(open.text),
    messageId: optional(open.uuid),
  }),
} as const;
