import { reject } from '../rejection.js';
import type { Conversation } from './evolve.js';
import {
  DEFAULT_PERMISSIONS,
  isAtLeast,
  type Action,
  type Permissions,
  type Role,
} from './roles.js';
import { roleOf } from './rules.js';

/** What two do in their conversation: both the same, and nobody else comes or goes. */
const BETWEEN_TWO: ReadonlySet<Action> = new Set(['send', 'media', 'pin']);

/** Who may do what in a conversation as it is now. */
export const permissionsOf = ({ permissions }: Pick<Conversation, 'permissions'>): Permissions => ({
  ...DEFAULT_PERMISSIONS,
  ...permissions,
});

/** Whether a member may do something. */
export const mayDo = (state: Conversation, role: Role, action: Action): boolean =>
  state.kind === 'direct'
    ? BETWEEN_TWO.has(action)
    : isAtLeast(role, state.permissions[action] ?? DEFAULT_PERMISSIONS[action]);

/** Gives the role of who may do something; refuses who is not in it, or may not. */
export const mustBeAllowed = (state: Conversation, userId: string, action: Action): Role => {
  const role = roleOf(state, userId);
  if (mayDo(state, role, action)) return role;
  return state.kind === 'direct'
    ? reject('forbidden', 'A direct conversation has always its two.')
    : reject('forbidden', `Here only ${permissionsOf(state)[action]}s and above may do this.`, {
        action,
      });
};

/** Refuses (`forbidden`) those among some people who are banned at a time. */
export const mustNotBeBanned = (
  { bans }: Conversation,
  userIds: readonly string[],
  at: string,
): void => {
  const now = Date.parse(at);
  const users = userIds.filter((userId) => (bans.get(userId) ?? 0) > now);
  if (users.length > 0) reject('forbidden', 'Who is banned does not come back yet.', { users });
};
