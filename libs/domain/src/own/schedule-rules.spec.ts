import { describe, expect, it } from 'vitest';
import { AT, given, metaOf, stampedBy } from '#testing';
import { cancelSchedules } from '../policy.js';
import { own } from './decide.js';
import type { OwnEvent } from './events.js';
import {
  CancelSchedules,
  EndSchedule,
  ReleaseSchedule,
  RescheduleMessage,
  ScheduleMessage,
  UnscheduleMessage,
} from './schedule-commands.js';
import { SCHEDULE_AHEAD_MS_MAX, SCHEDULED_MAX } from './schedule-rules.js';

const later = (ms: number): string => new Date(Date.parse(AT) + ms).toISOString();
const about = { userId: 'ada', conversationId: 'k', scheduleId: 's' };
const message = '{"text":"hi"}';
const meta = metaOf('ada');
const by = stampedBy('ada');

const waiting = (more: object = {}): OwnEvent => ({
  type: 'MessageScheduled',
  data: { ...by, ...about, sendAt: later(60_000), message, ...more },
});
const due = waiting({ sendAt: AT });
const released: OwnEvent = { type: 'ScheduleReleased', data: { ...by, ...about } };
const ended = (
  outcome: 'sent' | 'cancelled' | 'left' | 'refused',
  more: object = {},
): OwnEvent => ({
  type: 'ScheduleEnded',
  data: { ...by, ...about, outcome, ...more },
});
const schedule = (sendAt: string) => new ScheduleMessage({ ...about, sendAt, message }, meta);
const release = (version = 0) =>
  new ReleaseSchedule({ userId: 'ada', scheduleId: 's', version }, meta);
const unschedule = new UnscheduleMessage({ userId: 'ada', scheduleId: 's' }, meta);
const reschedule = (more: { sendAt?: string; message?: string }) =>
  new RescheduleMessage({ userId: 'ada', scheduleId: 's', ...more }, meta);

describe('[X5] Scheduling a message', () => {
  it('keeps it and its time, once however often it is asked for', () => {
    given(own)()
      .when(schedule(later(60_000)))
      .appends(waiting());
    given(own)(waiting())
      .when(schedule(later(60_000)))
      .appends();
  });
  it('is for a time to come, a year ahead at most', () => {
    given(own)().when(schedule(AT)).rejects('invalid');
    given(own)()
      .when(schedule(later(-1)))
      .rejects('invalid');
    given(own)()
      .when(schedule(later(SCHEDULE_AHEAD_MS_MAX + 1)))
      .rejects('invalid');
  });
  it('has its limit', () => {
    const many = Array.from({ length: SCHEDULED_MAX }, (_, at) => waiting({ scheduleId: `${at}` }));
    given(own)(...many)
      .when(schedule(later(1)))
      .rejects('too_large');
  });
  it('can be changed and cancelled while it waits', () => {
    const changed = { sendAt: later(5), message: '{"text":"ho"}' };
    given(own)(waiting())
      .when(reschedule(changed))
      .appends({ type: 'MessageRescheduled', data: { ...by, ...about, ...changed } });
    given(own)(waiting()).when(unschedule).appends(ended('cancelled'));
    given(own)().when(unschedule).rejects('not_found');
    given(own)().when(reschedule(changed)).rejects('not_found');
    given(own)(waiting())
      .when(reschedule({ sendAt: later(-1) }))
      .rejects('invalid');
  });
});

describe('[X5] When its time has come, a scheduled message', () => {
  it('is released, in the version that its person wrote last', () => {
    given(own)(due).when(release()).appends(released);
    given(own)(due, released).when(release()).appends();
    given(own)(waiting()).when(release()).rejects('conflict');
    const rewritten: OwnEvent = {
      type: 'MessageRescheduled',
      data: { ...by, ...about, sendAt: AT, message: '{}' },
    };
    given(own)(due, rewritten).when(release(0)).rejects('conflict');
    given(own)(due, rewritten).when(release(1)).appends(released);
  });
  it('can be neither changed nor cancelled any more', () => {
    given(own)(due, released).when(unschedule).rejects('too_late');
    given(own)(due, released)
      .when(reschedule({ sendAt: later(5) }))
      .rejects('too_late');
  });
  it('ends once, whoever says so', () => {
    const end = new EndSchedule(
      { userId: 'ada', scheduleId: 's', outcome: 'sent', messageId: 'm' },
      meta,
    );
    given(own)(due, released)
      .when(end)
      .appends(ended('sent', { messageId: 'm' }));
    given(own)(due, released, ended('sent')).when(end).appends();
    given(own)(due).when(end).appends();
  });
  it('stays where it was refused, to be tried again or taken away', () => {
    const refused = [due, released, ended('refused', { code: 'forbidden' })];
    given(own)(...refused)
      .when(release())
      .rejects('conflict');
    given(own)(...refused)
      .when(unschedule)
      .appends(ended('cancelled'));
    const again = { sendAt: later(5) };
    given(own)(...refused)
      .when(reschedule(again))
      .appends({ type: 'MessageRescheduled', data: { ...by, ...about, ...again } });
  });
});

describe('[X5] Whoever leaves a conversation', () => {
  const cancel = new CancelSchedules({ userId: 'ada', conversationId: 'k' }, metaOf('ben'));
  it('says nothing there any more; what is on its way is refused there', () => {
    const elsewhere = waiting({ scheduleId: 't', conversationId: 'other' });
    given(own)(waiting(), elsewhere)
      .when(cancel)
      .appends({
        type: 'ScheduleEnded',
        data: { ...stampedBy('ben'), ...about, outcome: 'left' },
      });
    given(own)(due, released).when(cancel).appends();
    given(own)(waiting(), ended('left')).when(cancel).appends();
  });
  it.each(['MemberLeft', 'MemberRemoved'] as const)('is noticed by a policy: %s', (type) => {
    const event = {
      type,
      data: { ...stampedBy('ben'), conversationId: 'k', userId: 'ada' },
      id: 'e',
      stream: 'conversation-k',
      revision: 3,
      position: 30,
      correlationId: 'c',
      causationId: 'c',
    };
    expect(cancelSchedules.types?.has(type)).toBe(true);
    expect(cancelSchedules.react(event, () => metaOf('ben'))).toEqual([cancel]);
  });
});

it('[X5] A snapshot keeps what is scheduled', () => {
  const { snapshots } = own;
  const state = own.evolve(own.initial(), waiting(), 0);
  const frozen: unknown = JSON.parse(JSON.stringify(snapshots?.freeze(state)));
  expect(snapshots?.thaw(Object(frozen))).toEqual(state);
});
