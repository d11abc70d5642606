import { describe, it } from 'vitest';
import { given, metaOf, stampedBy } from '#testing';
import { CompleteErasure, erasures, OrderErasure } from './decide.js';
import type { ErasureEvent } from './events.js';

const userId = 'ada';
const stamp = stampedBy('operator');
const meta = metaOf('operator');
const ordered: ErasureEvent = {
  type: 'ErasureOrdered',
  data: { ...stamp, userId, reason: 'asked', phoneClaim: 'claim-phone-1' },
};
const completed: ErasureEvent = {
  type: 'ErasureCompleted',
  data: { ...stamp, userId, certificate: 'hash' },
};
const order = new OrderErasure({ userId, reason: 'asked', phoneClaim: 'claim-phone-1' }, meta);
const complete = new CompleteErasure({ userId, certificate: 'hash' }, meta);

describe('[Z6] an erasure', () => {
  it('is ordered once, with what the person held', () => {
    given(erasures)().when(order).appends(ordered);
    given(erasures)(ordered).when(order).appends();
    given(erasures)(ordered, completed).when(order).appends();
  });

  it('is completed only where it was ordered, and may be certified again', () => {
    given(erasures)().when(complete).rejects('not_found');
    given(erasures)(ordered).when(complete).appends(completed);
    given(erasures)(ordered, completed).when(complete).appends();
    const again = new CompleteErasure({ userId, certificate: 'other' }, meta);
    given(erasures)(ordered, completed)
      .when(again)
      .appends({ type: 'ErasureCompleted', data: { ...stamp, userId, certificate: 'other' } });
  });
});
