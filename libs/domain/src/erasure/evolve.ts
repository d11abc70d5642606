import type { ErasureEvent, ErasureReason } from './events.js';

/** An erasure that was ordered, and the hash of its certificate once it is done. */
export type Ordered = Readonly<{
  reason: ErasureReason;
  by: string;
  at: string;
  phoneClaim?: string;
  usernameClaim?: string;
  certificate?: string;
}>;

/** Erasures by person. */
export type Erasures = Map<string, Ordered>;

export const initial = (): Erasures => new Map();

export const evolve = (state: Erasures, { type, data }: ErasureEvent): Erasures => {
  switch (type) {
    case 'ErasureOrdered': {
      const { userId, origin: _origin, ...ordered } = data;
      return state.set(userId, ordered);
    }
    case 'ErasureCompleted': {
      const ordered = state.get(data.userId);
      if (ordered) state.set(data.userId, { ...ordered, certificate: data.certificate });
      return state;
    }
  }
};
