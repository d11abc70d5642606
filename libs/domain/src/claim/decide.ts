import { Command, stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { ClaimEvent } from './events.js';
import { evolve, initial, type Claim } from './evolve.js';

/** Take a phone number or a username; `claim` is the stream that stands for the value. */
export class MakeClaim extends Command<'MakeClaim', { claim: string; holder: string }> {
  readonly type = 'MakeClaim';
}
/** Give it back. */
export class ReleaseClaim extends Command<'ReleaseClaim', { claim: string; holder: string }> {
  readonly type = 'ReleaseClaim';
}

/** A wish about one unique value. */
export type ClaimCommand = MakeClaim | ReleaseClaim;

const decide = ({ type, data, meta }: ClaimCommand, state: Claim): readonly ClaimEvent[] => {
  const { holder } = data;
  switch (type) {
    case 'MakeClaim':
      if (state.holder === holder) return [];
      if (state.holder !== undefined) return reject('already_exists', 'Somebody else holds this.');
      return [{ type: 'ClaimMade', data: { ...stampOf(meta), holder } }];
    case 'ReleaseClaim':
      // A repeat of a release, or a release that somebody else's claim came after, has no effect.
      if (state.holder !== holder || state.releases.has(meta.commandId)) return [];
      return [{ type: 'ClaimReleased', data: { ...stampOf(meta), holder } }];
  }
};

/** The consistency boundary of one unique value: the log's expected revision makes one winner. */
export const claim: Decider<Claim, ClaimCommand, ClaimEvent> = {
  name: 'claim',
  streamOf: (command) => command.data.claim,
  initial,
  decide,
  evolve,
};
