import { Command, stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import { ERASURES_STREAM, type ErasureEvent, type ErasureReason } from './events.js';
import { evolve, initial, type Erasures } from './evolve.js';

/** Have a person's texts made unreadable for ever. */
export class OrderErasure extends Command<
  'OrderErasure',
  Readonly<{
    userId: string;
    reason: ErasureReason;
    phoneClaim?: string | undefined;
    usernameClaim?: string | undefined;
  }>
> {
  readonly type = 'OrderErasure';
}
/** Say that every store is done. */
export class CompleteErasure extends Command<
  'CompleteErasure',
  Readonly<{ userId: string; certificate: string }>
> {
  readonly type = 'CompleteErasure';
}

/** A wish about erasures. */
export type ErasureCommand = OrderErasure | CompleteErasure;

const decide = (command: ErasureCommand, state: Erasures): readonly ErasureEvent[] => {
  const { data, meta } = command;
  const ordered = state.get(data.userId);
  if (command.type === 'OrderErasure') {
    const { userId, reason, phoneClaim, usernameClaim } = command.data;
    if (ordered) return [];
    const claims = {
      ...(phoneClaim === undefined ? {} : { phoneClaim }),
      ...(usernameClaim === undefined ? {} : { usernameClaim }),
    };
    return [{ type: 'ErasureOrdered', data: { ...stampOf(meta), userId, reason, ...claims } }];
  }
  if (!ordered) return reject('not_found', 'Nobody ordered this erasure.');
  if (ordered.certificate === command.data.certificate) return [];
  return [{ type: 'ErasureCompleted', data: { ...stampOf(meta), ...command.data } }];
};

/** The consistency boundary of all erasures: one person is erased once. */
export const erasures: Decider<Erasures, ErasureCommand, ErasureEvent> = {
  name: 'erasures',
  streamOf: () => ERASURES_STREAM,
  initial,
  decide,
  evolve,
};
