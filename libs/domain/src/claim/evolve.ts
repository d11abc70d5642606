import type { ClaimEvent } from './events.js';

/** Who holds the value, if anyone. */
export type Claim = { holder: string | undefined };

export const initial = (): Claim => ({ holder: undefined });

export const evolve = (state: Claim, { type, data }: ClaimEvent): Claim => {
  switch (type) {
    case 'ClaimMade':
      state.holder = data.holder;
      return state;
    case 'ClaimReleased':
      state.holder = undefined;
      return state;
  }
};
