import type { UserEvent } from './events.js';

/** Only what a decision about a person needs. */
export type User = {
  registered: boolean;
  devices: Set<string>;
  /** Stream of the username's claim. */
  usernameClaim: string | undefined;
};

export const initial = (): User => ({
  registered: false,
  devices: new Set(),
  usernameClaim: undefined,
});

export const evolve = (state: User, { type, data }: UserEvent): User => {
  switch (type) {
    case 'UserRegistered':
      state.registered = true;
      return state;
    case 'UserRenamed':
      return state;
    case 'UsernameChosen':
      state.usernameClaim = data.claim;
      return state;
    case 'DeviceLinked':
      state.devices.add(data.deviceId);
      return state;
  }
};
