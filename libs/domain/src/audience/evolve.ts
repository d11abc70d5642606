import type { Snapshots } from '../decider.js';
import type { AudienceEvent } from './events.js';

/** Who follows. */
export type Audience = { followers: Set<string> };

export const initial = (): Audience => ({ followers: new Set() });

export const evolve = (state: Audience, { type, data }: AudienceEvent): Audience => {
  switch (type) {
    case 'BroadcastFollowed':
      state.followers.add(data.userId);
      return state;
    case 'BroadcastUnfollowed':
      state.followers.delete(data.userId);
      return state;
  }
};

export const snapshots: Snapshots<Audience> = {
  version: 1,
  freeze: (state) => ({ followers: [...state.followers] }),
  // A snapshot of this version was written by `freeze` above; others are never thawed.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  thaw: (frozen) => ({ followers: new Set((frozen as { followers: string[] }).followers) }),
};
