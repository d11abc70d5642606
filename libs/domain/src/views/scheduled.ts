import type { Recorded } from '../decider.js';
import type { OwnEvent } from '../own/events.js';
import type { ScheduleOutcome } from '../own/schedule-events.js';
import type { Projection } from '../projection.js';

/** A message that waits for its time, or could not be said; the document's id is `scheduleId`. */
export type ScheduledView = Readonly<{
  userId: string;
  conversationId: string;
  sendAt: string;
  /** JSON of its parts; empty once its person was erased. */
  message: string;
  /** Revision of its last change: whoever sends it names the version that is sent. */
  version: number;
  /** When it is to be looked at; absent of one that was refused. */
  dueAt?: string;
  status: 'waiting' | 'released' | Exclude<ScheduleOutcome, 'sent' | 'cancelled'>;
  /** Why it was refused. */
  code?: string;
}>;

type Of<Type extends OwnEvent['type']> = Extract<OwnEvent, { type: Type }>['data'];

const rescheduled = (
  { code: _code, ...before }: ScheduledView,
  { sendAt = before.sendAt, message = before.message }: Of<'MessageRescheduled'>,
  version: number,
): ScheduledView => ({ ...before, sendAt, message, version, dueAt: sendAt, status: 'waiting' });

const ended = (
  { dueAt: _dueAt, ...before }: ScheduledView,
  { outcome, code }: Of<'ScheduleEnded'>,
): ScheduledView | undefined =>
  outcome === 'sent' || outcome === 'cancelled'
    ? undefined
    : { ...before, status: outcome, ...(code === undefined ? {} : { code }) };

const scheduledBy = (
  { userId, conversationId, sendAt, message }: Of<'MessageScheduled'>,
  version: number,
): ScheduledView => ({
  userId,
  conversationId,
  sendAt,
  message,
  version,
  dueAt: sendAt,
  status: 'waiting',
});

const evolve = (
  before: ScheduledView | undefined,
  { type, data, revision }: Recorded<OwnEvent>,
): ScheduledView | undefined => {
  if (type === 'MessageScheduled') return scheduledBy(data, revision);
  if (!before) return undefined;
  if (type === 'MessageRescheduled') return rescheduled(before, data, revision);
  if (type === 'ScheduleReleased') return { ...before, status: 'released' };
  return type === 'ScheduleEnded' ? ended(before, data) : before;
};

/** One document per message that is to be said later, until it was said. */
export const scheduled: Projection<ScheduledView, OwnEvent> = {
  name: 'scheduled',
  streams: ['own-'],
  indexes: [{ key: { dueAt: 1 } }, { key: { userId: 1, position: -1 } }],
  keysOf: ({ data }) => ('scheduleId' in data ? [data.scheduleId] : []),
  evolve,
};
