import type { Projection } from '../projection.js';
import type { UserEvent } from '../user/events.js';

/** A person as others see them; id is the person's. The phone number stays in the log. */
export type UserView = Readonly<{
  name: string;
  username?: string;
  registeredAt: string;
  devices: readonly Readonly<{ deviceId: string; name: string; platform: string; at: string }>[];
}>;

/** One document per person. */
export const users: Projection<UserView, UserEvent> = {
  name: 'users',
  streams: ['user-'],
  indexes: [],
  keysOf: ({ data }) => [data.userId],
  evolve: (view, { type, data }) => {
    if (type === 'UserRegistered') return { name: data.name, registeredAt: data.at, devices: [] };
    if (!view) return undefined;
    switch (type) {
      case 'UserRenamed':
        return { ...view, name: data.name };
      case 'UsernameChosen':
        return { ...view, username: data.username };
      case 'DeviceLinked': {
        const { deviceId, name, platform, at } = data;
        return { ...view, devices: [...view.devices, { deviceId, name, platform, at }] };
      }
    }
  },
};
