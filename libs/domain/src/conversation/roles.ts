/** What a member may be, from most to least. There is one owner, who cannot be removed. */
export const ROLES = ['owner', 'admin', 'moderator', 'member'] as const;
/** One of them. */
export type Role = (typeof ROLES)[number];

/** Roles in which people come: whoever moderates was made a moderator later. */
export const JOINING_ROLES = ['owner', 'admin', 'member'] as const;

/** What members do, each of which may be kept for those of a role and above. */
export const ACTIONS = [
  'send',
  'media',
  'mention_all',
  'pin',
  'invite',
  'add',
  'remove',
  'ban',
  'delete_others',
  'info',
  'roles',
  'configure',
] as const;
/** One of them. */
export type Action = (typeof ACTIONS)[number];

/** The least role that may do a thing. */
export type Permissions = Readonly<Record<Action, Role>>;

/** As it is until an owner changes it. */
export const DEFAULT_PERMISSIONS: Permissions = {
  send: 'member',
  media: 'member',
  mention_all: 'member',
  pin: 'moderator',
  invite: 'admin',
  add: 'admin',
  remove: 'moderator',
  ban: 'moderator',
  delete_others: 'moderator',
  info: 'admin',
  roles: 'admin',
  configure: 'owner',
};

/** Whether somebody of a role is at least as much as another. */
export const isAtLeast = (role: Role, least: Role): boolean =>
  ROLES.indexOf(role) <= ROLES.indexOf(least);

/** Those of the permissions that are given among other things. */
export const givenOf = (data: Partial<Permissions>): Partial<Permissions> =>
  Object.fromEntries(
    ACTIONS.flatMap((action) => {
      const role = data[action];
      return role === undefined ? [] : [[action, role] as const];
    }),
  );
