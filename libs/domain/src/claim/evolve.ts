import type { ClaimEvent } from './events.js';

/** Who holds the value, if anyone, and the revision of their own stream that this rests on. */
export type Claim = { holder: string | undefined; asOf: number };

export const initial = (): Claim => ({ holder: undefined, asOf: -1 });

export const evolve = (state: Claim, { type, data }: ClaimEvent): Claim => {
  switch (type) {
    case 'ClaimMade':
      state.holder = data.holder;
      state.asOf = data.asOf ?? -1;
      return state;
    case 'ClaimReleased':
      state.holder = undefined;
      return state;
  }
};
