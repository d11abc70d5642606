import type { ClaimEvent } from './events.js';

/** Who holds the value, if anyone. */
export type Claim = {
  holder: string | undefined;
  /** Commands that released it: a policy may repeat one long after. */
  releases: Set<string>;
};

export const initial = (): Claim => ({ holder: undefined, releases: new Set() });

export const evolve = (state: Claim, { type, data }: ClaimEvent): Claim => {
  switch (type) {
    case 'ClaimMade':
      state.holder = data.holder;
      return state;
    case 'ClaimReleased':
      state.holder = undefined;
      state.releases.add(data.origin.command);
      return state;
  }
};
