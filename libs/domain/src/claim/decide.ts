import { Command, stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { ClaimEvent } from './events.js';
import { evolve, initial, type Claim } from './evolve.js';

/**
 * Take a phone number or a username; `claim` is the stream that stands for the value, `asOf` the
 * revision of the holder's own stream that the wish rests on.
 */
export class MakeClaim extends Command<
  'MakeClaim',
  { claim: string; holder: string; asOf?: number | undefined }
> {
  readonly type = 'MakeClaim';
}
/** Give it back: the holder's own stream left it at the revision `leftAt`. */
export class ReleaseClaim extends Command<
  'ReleaseClaim',
  { claim: string; holder: string; leftAt: number }
> {
  readonly type = 'ReleaseClaim';
}

/** A wish about one unique value. */
export type ClaimCommand = MakeClaim | ReleaseClaim;

const make = ({ data, meta }: MakeClaim, state: Claim): readonly ClaimEvent[] => {
  const { holder, asOf } = data;
  const isHeld = state.holder === holder;
  if (!isHeld && state.holder !== undefined)
    return reject('already_exists', 'Somebody else holds this.');
  // Made anew, so that a release of what was left before comes too late.
  if (isHeld && (asOf ?? -1) <= state.asOf) return [];
  const made = { ...stampOf(meta), holder, ...(asOf === undefined ? {} : { asOf }) };
  return [{ type: 'ClaimMade', data: made }];
};

const release = ({ data, meta }: ReleaseClaim, state: Claim): readonly ClaimEvent[] => {
  const { holder, leftAt } = data;
  // Released before, or taken again since it was left, by them or by somebody else.
  if (state.holder !== holder || state.asOf >= leftAt) return [];
  return [{ type: 'ClaimReleased', data: { ...stampOf(meta), holder } }];
};

const decide = (command: ClaimCommand, state: Claim): readonly ClaimEvent[] =>
  command.type === 'MakeClaim' ? make(command, state) : release(command, state);

/** The consistency boundary of one unique value: the log's expected revision makes one winner. */
export const claim: Decider<Claim, ClaimCommand, ClaimEvent> = {
  name: 'claim',
  streamOf: (command) => command.data.claim,
  initial,
  decide,
  evolve,
};
