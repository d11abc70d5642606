import { Command, stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { UserEvent } from './events.js';
import { evolve, initial, type User } from './evolve.js';

/** Become a person of Scripta. Repeating it changes nothing: the phone's claim names the person. */
export class RegisterUser extends Command<
  'RegisterUser',
  { userId: string; phone: string; name: string }
> {
  readonly type = 'RegisterUser';
}
/** Change the display name. */
export class RenameUser extends Command<'RenameUser', { userId: string; name: string }> {
  readonly type = 'RenameUser';
}
/** Show a username whose claim the person holds. */
export class ChooseUsername extends Command<
  'ChooseUsername',
  { userId: string; username: string; claim: string }
> {
  readonly type = 'ChooseUsername';
}
/** Let a device act for the person. */
export class LinkDevice extends Command<
  'LinkDevice',
  { userId: string; deviceId: string; name: string; platform: string }
> {
  readonly type = 'LinkDevice';
}

/** A wish about one person. */
export type UserCommand = RegisterUser | RenameUser | ChooseUsername | LinkDevice;

const decide = (command: UserCommand, state: User): readonly UserEvent[] => {
  const { data, meta, type } = command;
  const stamped = stampOf(meta);
  if (type !== 'RegisterUser' && !state.registered) reject('not_found', 'There is no such person.');
  switch (type) {
    case 'RegisterUser':
      return state.registered ? [] : [{ type: 'UserRegistered', data: { ...stamped, ...data } }];
    case 'RenameUser':
      return [{ type: 'UserRenamed', data: { ...stamped, ...data } }];
    case 'ChooseUsername': {
      if (state.usernameClaim === data.claim) return [];
      const previous = state.usernameClaim;
      return [
        {
          type: 'UsernameChosen',
          data: { ...stamped, ...data, ...(previous ? { previousClaim: previous } : {}) },
        },
      ];
    }
    case 'LinkDevice':
      return state.devices.has(data.deviceId)
        ? []
        : [{ type: 'DeviceLinked', data: { ...stamped, ...data } }];
  }
};

/** The consistency boundary of one person. */
export const user: Decider<User, UserCommand, UserEvent> = {
  name: 'user',
  streamOf: (command) => `user-${command.data.userId}`,
  initial,
  decide,
  evolve,
};
