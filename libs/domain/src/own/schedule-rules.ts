import { stampOf, type CommandMeta } from '../decider.js';
import { reject } from '../rejection.js';
import type { OwnEvent } from './events.js';
import type { Own, Scheduled } from './evolve.js';
import type {
  CancelSchedules,
  EndSchedule,
  ReleaseSchedule,
  RescheduleMessage,
  ScheduleCommand,
  ScheduleMessage,
  UnscheduleMessage,
} from './schedule-commands.js';

/** Messages that wait for their time, of one person. */
export const SCHEDULED_MAX = 100;
/** How far ahead a message can be scheduled: birthdays, a year ahead. */
export const SCHEDULE_AHEAD_MS_MAX = 366 * 24 * 60 * 60 * 1_000;

type Rule<C extends ScheduleCommand> = (command: C, state: Own) => OwnEvent[];

const mustBeAhead = (sendAt: string, { at }: CommandMeta): void => {
  const aheadMs = Date.parse(sendAt) - Date.parse(at);
  if (aheadMs <= 0) reject('invalid', 'That time has passed; send the message instead.');
  if (aheadMs > SCHEDULE_AHEAD_MS_MAX)
    reject('invalid', 'A message can be scheduled a year ahead at most.');
};

const found = ({ scheduled }: Own, scheduleId: string): Scheduled =>
  scheduled.get(scheduleId) ?? reject('not_found', 'There is no such scheduled message.');

const schedule: Rule<ScheduleMessage> = ({ data, meta }, state) => {
  if (state.scheduled.has(data.scheduleId)) return [];
  mustBeAhead(data.sendAt, meta);
  if (state.scheduled.size >= SCHEDULED_MAX)
    reject('too_large', `At most ${SCHEDULED_MAX} messages are scheduled; cancel one first.`);
  return [{ type: 'MessageScheduled', data: { ...stampOf(meta), ...data } }];
};

const reschedule: Rule<RescheduleMessage> = ({ data, meta }, state) => {
  const { userId, scheduleId, sendAt, message } = data;
  const { conversationId, status, sendAt: before } = found(state, scheduleId);
  if (status === 'released') reject('too_late', 'This message is being sent.');
  mustBeAhead(sendAt ?? before, meta);
  const changed = {
    ...(sendAt === undefined ? {} : { sendAt }),
    ...(message === undefined ? {} : { message }),
  };
  const about = { userId, conversationId, scheduleId };
  return [{ type: 'MessageRescheduled', data: { ...stampOf(meta), ...about, ...changed } }];
};

const ended = (
  { conversationId }: Scheduled,
  { data, meta }: EndSchedule | UnscheduleMessage,
  how: Pick<EndSchedule['data'], 'outcome' | 'code' | 'messageId'>,
): OwnEvent[] => {
  const { userId, scheduleId } = data;
  const { outcome, code, messageId } = how;
  return [
    {
      type: 'ScheduleEnded',
      data: {
        ...stampOf(meta),
        userId,
        conversationId,
        scheduleId,
        outcome,
        ...(code === undefined ? {} : { code }),
        ...(messageId === undefined ? {} : { messageId }),
      },
    },
  ];
};

const unschedule: Rule<UnscheduleMessage> = (command, state) => {
  const known = found(state, command.data.scheduleId);
  if (known.status === 'released') reject('too_late', 'This message is being sent.');
  return ended(known, command, { outcome: 'cancelled' });
};

const release: Rule<ReleaseSchedule> = ({ data, meta }, state) => {
  const { userId, scheduleId, version } = data;
  const { conversationId, status, sendAt, version: latest } = found(state, scheduleId);
  if (status === 'released') return [];
  // Who releases has read an older version, or its clock is ahead: the next look finds it right.
  const isDue = status === 'waiting' && version === latest && sendAt <= meta.at;
  if (!isDue) reject('conflict', 'It was changed meanwhile.');
  const about = { userId, conversationId, scheduleId };
  return [{ type: 'ScheduleReleased', data: { ...stampOf(meta), ...about } }];
};

const end: Rule<EndSchedule> = (command, state) => {
  const known = state.scheduled.get(command.data.scheduleId);
  return known?.status === 'released' ? ended(known, command, command.data) : [];
};

const cancel: Rule<CancelSchedules> = ({ data, meta }, state) =>
  [...state.scheduled].flatMap(([scheduleId, { conversationId, status }]): OwnEvent[] =>
    status === 'waiting' && conversationId === data.conversationId
      ? [
          {
            type: 'ScheduleEnded',
            data: { ...stampOf(meta), ...data, scheduleId, outcome: 'left' },
          },
        ]
      : [],
  );

/** What one may do with messages that are to be said later. */
export const scheduleRules: Readonly<{
  [Type in ScheduleCommand['type']]: Rule<Extract<ScheduleCommand, { type: Type }>>;
}> = {
  ScheduleMessage: schedule,
  RescheduleMessage: reschedule,
  UnscheduleMessage: unschedule,
  ReleaseSchedule: release,
  EndSchedule: end,
  CancelSchedules: cancel,
};
