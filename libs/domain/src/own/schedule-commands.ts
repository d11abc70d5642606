import { Command } from '../decider.js';
import type { ScheduleOutcome } from './schedule-events.js';

type Of<More extends object> = Readonly<{ userId: string }> & More;

/** Say a message at a time to come. */
export class ScheduleMessage extends Command<
  'ScheduleMessage',
  Of<{ conversationId: string; scheduleId: string; sendAt: string; message: string }>
> {
  readonly type = 'ScheduleMessage';
}
/** Say it at another time, or otherwise; one that was refused is tried again. */
export class RescheduleMessage extends Command<
  'RescheduleMessage',
  Of<{ scheduleId: string; sendAt?: string | undefined; message?: string | undefined }>
> {
  readonly type = 'RescheduleMessage';
}
/** Do not say it; take away what is known of one that was refused. */
export class UnscheduleMessage extends Command<'UnscheduleMessage', Of<{ scheduleId: string }>> {
  readonly type = 'UnscheduleMessage';
}
/** Its time has come. `version` is the revision of what is about to be said. */
export class ReleaseSchedule extends Command<
  'ReleaseSchedule',
  Of<{ scheduleId: string; version: number }>
> {
  readonly type = 'ReleaseSchedule';
}
/** It was said, or was refused. */
export class EndSchedule extends Command<
  'EndSchedule',
  Of<{
    scheduleId: string;
    outcome: ScheduleOutcome;
    code?: string | undefined;
    messageId?: string | undefined;
  }>
> {
  readonly type = 'EndSchedule';
}
/** Its person has left the conversation: nothing of theirs is said there any more. */
export class CancelSchedules extends Command<'CancelSchedules', Of<{ conversationId: string }>> {
  readonly type = 'CancelSchedules';
}

/** A wish about messages that are to be said later. */
export type ScheduleCommand =
  | ScheduleMessage
  | RescheduleMessage
  | UnscheduleMessage
  | ReleaseSchedule
  | EndSchedule
  | CancelSchedules;
