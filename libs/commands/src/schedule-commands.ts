import canonicalize from 'canonicalize';
import { z } from 'zod';
import {
  CancelSchedules,
  EndSchedule,
  own,
  ReleaseSchedule,
  RescheduleMessage,
  ScheduleMessage,
  UnscheduleMessage,
  type CommandMeta,
} from '#domain';
import type { Beforehand, CommandEntry, Draft } from './entries.js';
import { handled } from './handled.js';
import { id } from './inputs.js';
import { sending } from './message-commands.js';
import { mustFit } from './message-inputs.js';

const message = sending.superRefine(mustFit);
const sendAt = z.iso
  .datetime({ offset: true })
  .transform((given) => new Date(given).toISOString())
  .meta({ format: 'date-time' });

/** A message, and when it is to be said. */
export const scheduling = z.strictObject({ sendAt, message });
const schedulingIn = scheduling.extend({ conversationId: id });
type Scheduling = z.infer<typeof schedulingIn>;

/** What is to be otherwise about a scheduled message. */
export const rescheduling = scheduling
  .partial()
  .refine((given) => Object.keys(given).length > 0, { error: 'Name what is to change.' });
const reschedulingOne = scheduling
  .partial()
  .extend({ scheduleId: id })
  .refine((given) => Object.keys(given).length > 1, { error: 'Name what is to change.' });
type Rescheduling = z.infer<typeof reschedulingOne>;

const scheduleOnly = z.strictObject({ scheduleId: id });
const streamOf = (_data: object, { actor }: Draft) => `own-${actor}`;

/** Messages that are to be said later. */
export const scheduleCommands = {
  'message.schedule': {
    input: schedulingIn,
    beforehand: async (data: Scheduling, { actor }: Draft, ask: Beforehand) => {
      await ask.mustBeIn(data.conversationId, actor);
      return data;
    },
    streamOf,
    toCommand: ({ conversationId, sendAt: at, message: parts }: Scheduling, meta: CommandMeta) =>
      new ScheduleMessage(
        {
          userId: meta.actor,
          conversationId,
          scheduleId: meta.eventId,
          sendAt: at,
          message: canonicalize(parts) ?? '',
        },
        meta,
      ),
  },
  'message.reschedule': {
    input: reschedulingOne,
    streamOf,
    toCommand: ({ scheduleId, sendAt: at, message: parts }: Rescheduling, meta: CommandMeta) =>
      new RescheduleMessage(
        {
          userId: meta.actor,
          scheduleId,
          sendAt: at,
          message: parts && canonicalize(parts),
        },
        meta,
      ),
  },
  'message.unschedule': {
    input: scheduleOnly,
    streamOf,
    toCommand: ({ scheduleId }: z.infer<typeof scheduleOnly>, meta: CommandMeta) =>
      new UnscheduleMessage({ userId: meta.actor, scheduleId }, meta),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide; the last three are for nobody outside. */
export const scheduleHandlers = [
  handled(ScheduleMessage, own),
  handled(RescheduleMessage, own),
  handled(UnscheduleMessage, own),
  handled(ReleaseSchedule, own),
  handled(EndSchedule, own),
  handled(CancelSchedules, own),
];
