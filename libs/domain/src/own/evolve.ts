import type { Snapshots } from '../decider.js';
import type { OwnEvent } from './events.js';
import { rememberReading } from './reading.js';

/** A message that waits for its time. `version` is the revision of its last change. */
export type Scheduled = Readonly<{
  conversationId: string;
  sendAt: string;
  version: number;
  status: 'waiting' | 'released' | 'failed';
}>;

/** Only what a decision needs: what counts towards a limit, and when what is to be said. */
export type Own = {
  pinned: Set<string>;
  saved: Set<string>;
  /** Names of the settings of each conversation that has some. */
  settings: Map<string, Set<string>>;
  /** By its own id; one that was refused stays until its person has taken it away. */
  scheduled: Map<string, Scheduled>;
  /** The latest word on messages and threads, so that a repeat needs no fact. */
  reading: Map<string, string>;
};

export const initial = (): Own => ({
  pinned: new Set(),
  saved: new Set(),
  settings: new Map(),
  scheduled: new Map(),
  reading: new Map(),
});

/** A flat JSON object as it was written; none where it was erased. */
export const objectOf = (written: string): Readonly<Record<string, unknown>> => {
  const read: unknown = written === '' ? {} : JSON.parse(written);
  return { ...(typeof read === 'object' ? read : {}) };
};

const setting = (names: Set<string>, written: string): Set<string> => {
  for (const [name, value] of Object.entries(objectOf(written)))
    if (value === null) names.delete(name);
    else names.add(name);
  return names;
};

type Of<Type extends OwnEvent['type']> = Extract<OwnEvent, { type: Type }>['data'];

const change = (
  { scheduled }: Own,
  { scheduleId }: Readonly<{ scheduleId: string }>,
  changes: Partial<Scheduled>,
): void => {
  const before = scheduled.get(scheduleId);
  if (before) scheduled.set(scheduleId, { ...before, ...changes });
};

const reschedule = (state: Own, data: Of<'MessageRescheduled'>, version: number): void => {
  const { sendAt } = data;
  const at = sendAt === undefined ? {} : { sendAt };
  change(state, data, { ...at, version, status: 'waiting' });
};

const end = (state: Own, data: Of<'ScheduleEnded'>): void => {
  const isOver = data.outcome === 'sent' || data.outcome === 'cancelled';
  if (isOver) state.scheduled.delete(data.scheduleId);
  else change(state, data, { status: 'failed' });
};

export const evolve = (state: Own, event: OwnEvent, revision: number): Own => {
  const { type, data } = event;
  switch (type) {
    case 'MessageScheduled': {
      const { conversationId, scheduleId, sendAt } = data;
      const waiting = { conversationId, sendAt, version: revision, status: 'waiting' } as const;
      state.scheduled.set(scheduleId, waiting);
      return state;
    }
    case 'MessageRescheduled':
      reschedule(state, data, revision);
      return state;
    case 'ScheduleReleased':
      change(state, data, { status: 'released' });
      return state;
    case 'ScheduleEnded':
      end(state, data);
      return state;
    case 'ConversationArranged': {
      const { conversationId, pinned, settings } = data;
      if (pinned === 'yes') state.pinned.add(conversationId);
      if (pinned === 'no') state.pinned.delete(conversationId);
      if (settings === undefined) return state;
      const names = setting(state.settings.get(conversationId) ?? new Set(), settings);
      state.settings.set(conversationId, names);
      return state;
    }
    case 'MessageSaved':
      state.saved.add(data.messageId);
      return state;
    case 'MessageUnsaved':
      state.saved.delete(data.messageId);
      return state;
    default:
      rememberReading(state.reading, event);
      return state;
  }
};

type Frozen = Readonly<{
  pinned: readonly string[];
  saved: readonly string[];
  settings: readonly (readonly [string, readonly string[]])[];
  scheduled: readonly (readonly [string, Scheduled])[];
  reading: readonly (readonly [string, string])[];
}>;

export const snapshots: Snapshots<Own> = {
  version: 3,
  freeze: ({ pinned, saved, settings, scheduled, reading }) => ({
    reading: [...reading],
    scheduled: [...scheduled],
    pinned: [...pinned],
    saved: [...saved],
    settings: [...settings].map(([conversationId, names]) => [conversationId, [...names]]),
  }),
  thaw: (frozen) => {
    // A snapshot of this version was written by `freeze` above; others are never thawed.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { pinned, saved, settings, scheduled, reading } = frozen as Frozen;
    return {
      scheduled: new Map(scheduled),
      reading: new Map(reading),
      pinned: new Set(pinned),
      saved: new Set(saved),
      settings: new Map(settings.map(([id, names]) => [id, new Set(names)])),
    };
  },
};
