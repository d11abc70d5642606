import type { Visibility, StaffRole, UserEvent } from './events.js';

/** What others may see of a person and do to them; all is open until the person says otherwise. */
export type Privacy = Readonly<{
  lastSeen: Visibility;
  typing: Visibility;
  receipts: Visibility;
  about: Visibility;
  avatar: Visibility;
  /** Who may add the person to groups. */
  adding: Visibility;
  /** Who may begin a direct conversation. */
  writing: Visibility;
  /** Whether a code suffices on a new device, or an existing one must approve. */
  login: 'code' | 'approval';
}>;

/** How it is before a person changes it. */
export const OPEN_PRIVACY: Privacy = {
  lastSeen: 'everyone',
  typing: 'everyone',
  receipts: 'everyone',
  about: 'everyone',
  avatar: 'everyone',
  adding: 'everyone',
  writing: 'everyone',
  login: 'code',
};

/** Only what a decision about a person needs. */
export type User = {
  registered: boolean;
  status: 'active' | 'deactivated' | 'deleted';
  /** Deleted, and no text of theirs can be read any more. */
  isErased: boolean;
  /** When the account goes, if it is to go. */
  deletionDueAt: string | undefined;
  /** E.164; unknown once erased. */
  phone: string | undefined;
  /** Stream of the username's claim. */
  usernameClaim: string | undefined;
  /** Revisions of the last change of number and of username. */
  phoneAt: number;
  usernameAt: number;
  privacy: Privacy;
  /** Names of the settings that apps keep. */
  preferences: Set<string>;
  blocked: Set<string>;
  /** Linked devices, each with its session if it has one, in the order of linking. */
  devices: Map<string, string | undefined>;
  roles: Set<StaffRole>;
};

export const initial = (): User => ({
  registered: false,
  status: 'active',
  isErased: false,
  deletionDueAt: undefined,
  phone: undefined,
  usernameClaim: undefined,
  phoneAt: -1,
  usernameAt: -1,
  privacy: OPEN_PRIVACY,
  preferences: new Set(),
  blocked: new Set(),
  devices: new Map(),
  roles: new Set(),
});

/** Settings as they were written, a flat JSON object; none where they were erased. */
export const settingsOf = (changes: string): Readonly<Record<string, unknown>> => {
  const read: unknown = changes === '' ? {} : JSON.parse(changes);
  return { ...(typeof read === 'object' ? read : {}) };
};

type Apply = {
  [E in UserEvent as E['type']]: (state: User, data: E['data'], revision: number) => unknown;
};

const unchanged = (): void => undefined;

const APPLY: Apply = {
  UserRegistered: (state, { phone }) => {
    state.registered = true;
    state.phone = phone;
  },
  UserRenamed: unchanged,
  UsernameChosen: (state, { claim }, revision) => {
    state.usernameClaim = claim;
    state.usernameAt = revision;
  },
  ProfileChanged: unchanged,
  PhoneChanged: (state, { phone }, revision) => {
    state.phone = phone;
    state.phoneAt = revision;
  },
  PrivacyChanged: (state, { by: _by, at: _at, origin: _origin, userId: _userId, ...changed }) =>
    (state.privacy = { ...state.privacy, ...changed }),
  PreferencesChanged: (state, { changes }) => {
    for (const [name, value] of Object.entries(settingsOf(changes)))
      if (value === null) state.preferences.delete(name);
      else state.preferences.add(name);
  },
  PersonBlocked: (state, { blocked }) => state.blocked.add(blocked),
  PersonUnblocked: (state, { blocked }) => state.blocked.delete(blocked),
  DeviceLinked: (state, { deviceId }) => state.devices.set(deviceId, undefined),
  DeviceRenamed: unchanged,
  DeviceRemoved: (state, { deviceId }) => state.devices.delete(deviceId),
  SessionStarted: (state, { deviceId, sessionId }) => state.devices.set(deviceId, sessionId),
  SessionRevoked: (state, { deviceId }) => state.devices.set(deviceId, undefined),
  LoginRefused: unchanged,
  LoginHeld: unchanged,
  AccountDeactivated: (state) => (state.status = 'deactivated'),
  AccountReactivated: (state) => (state.status = 'active'),
  DeletionScheduled: (state, { dueAt }) => (state.deletionDueAt = dueAt),
  DeletionCancelled: (state) => (state.deletionDueAt = undefined),
  AccountDeleted: (state) => (state.status = 'deleted'),
  PersonErased: (state) => {
    state.status = 'deleted';
    state.isErased = true;
    state.phone = undefined;
  },
  RoleGranted: (state, { role }) => state.roles.add(role),
  RoleWithdrawn: (state, { role }) => state.roles.delete(role),
};

export const evolve = (state: User, { type, data }: UserEvent, revision: number): User => {
  // The table has each type's own function under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  (APPLY[type] as (state: User, data: UserEvent['data'], revision: number) => unknown)(
    state,
    data,
    revision,
  );
  return state;
};
