import type { Projection } from '../projection.js';
import type { SessionMethod, StaffRole, UserEvent } from '../user/events.js';
import { settingsOf, type Privacy, type User } from '../user/evolve.js';

/** A linked device, with its session while it has one. */
export type DeviceView = Readonly<{
  deviceId: string;
  name: string;
  platform: string;
  /** When it was linked. */
  at: string;
  session?: Readonly<{
    sessionId: string;
    at: string;
    method: SessionMethod;
    version?: string;
    place?: string;
  }>;
}>;

/** A person; id is the person's. What others may see of it the doors decide. */
export type UserView = Readonly<{
  name: string;
  username?: string;
  about?: string;
  avatar?: string;
  registeredAt: string;
  /** Absent while the account is active. */
  status?: Exclude<User['status'], 'active'>;
  deletionDueAt?: string;
  /** Only what the person has changed. */
  privacy: Partial<Privacy>;
  preferences: Readonly<Record<string, unknown>>;
  blocked: readonly string[];
  roles: readonly StaffRole[];
  devices: readonly DeviceView[];
}>;

type Fold = { [E in UserEvent as E['type']]: (view: UserView, data: E['data']) => UserView };

/** A field that an empty text takes away. */
const shown = (name: 'about' | 'avatar', view: UserView, text: string | undefined): UserView => {
  if (text === undefined) return view;
  const { [name]: _former, ...others } = view;
  return text === '' ? others : { ...others, [name]: text };
};

const device = (
  view: UserView,
  deviceId: string,
  change: (device: DeviceView) => DeviceView,
): UserView => ({
  ...view,
  devices: view.devices.map((one) => (one.deviceId === deviceId ? change(one) : one)),
});

const kept = (settings: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== null));

const same = (view: UserView): UserView => view;

const FOLD: Fold = {
  UserRegistered: same,
  UserRenamed: (view, { name }) => ({ ...view, name }),
  UsernameChosen: (view, { username }) => ({ ...view, username }),
  ProfileChanged: (view, { about, avatar }) => shown('avatar', shown('about', view, about), avatar),
  PhoneChanged: same,
  PrivacyChanged: (view, { by: _by, at: _at, origin: _origin, userId: _userId, ...changed }) => ({
    ...view,
    privacy: { ...view.privacy, ...changed },
  }),
  PreferencesChanged: (view, { changes }) => ({
    ...view,
    preferences: kept({ ...view.preferences, ...settingsOf(changes) }),
  }),
  PersonBlocked: (view, { blocked }) => ({ ...view, blocked: [...view.blocked, blocked] }),
  PersonUnblocked: (view, { blocked }) => ({
    ...view,
    blocked: view.blocked.filter((one) => one !== blocked),
  }),
  DeviceLinked: (view, { deviceId, name, platform, at }) => ({
    ...view,
    devices: [...view.devices, { deviceId, name, platform, at }],
  }),
  DeviceRenamed: (view, { deviceId, name }) => device(view, deviceId, (one) => ({ ...one, name })),
  DeviceRemoved: (view, { deviceId }) => ({
    ...view,
    devices: view.devices.filter((one) => one.deviceId !== deviceId),
  }),
  SessionStarted: (view, { deviceId, sessionId, at, method, version, place }) =>
    device(view, deviceId, (one) => ({
      ...one,
      session: {
        sessionId,
        at,
        method,
        ...(version === undefined ? {} : { version }),
        ...(place === undefined ? {} : { place }),
      },
    })),
  SessionRevoked: (view, { deviceId }) =>
    device(view, deviceId, ({ session: _session, ...one }) => one),
  LoginRefused: same,
  LoginHeld: same,
  AccountDeactivated: (view) => ({ ...view, status: 'deactivated' }),
  AccountReactivated: ({ status: _status, ...view }) => view,
  DeletionScheduled: (view, { dueAt }) => ({ ...view, deletionDueAt: dueAt }),
  DeletionCancelled: ({ deletionDueAt: _dueAt, ...view }) => view,
  AccountDeleted: ({ registeredAt }) => ({ ...BLANK, registeredAt, status: 'deleted' }),
  PersonErased: ({ registeredAt }) => ({ ...BLANK, registeredAt, status: 'deleted' }),
  RoleGranted: (view, { role }) => ({ ...view, roles: [...view.roles, role] }),
  RoleWithdrawn: (view, { role }) => ({
    ...view,
    roles: view.roles.filter((one) => one !== role),
  }),
};

const BLANK = { name: '', privacy: {}, preferences: {}, blocked: [], roles: [], devices: [] };

/** One document per person. */
export const users: Projection<UserView, UserEvent> = {
  name: 'users',
  streams: ['user-'],
  indexes: [{ key: { deletionDueAt: 1 } }],
  keysOf: ({ data }) => [data.userId],
  evolve: (view, { type, data }) => {
    if (type === 'UserRegistered') return { ...BLANK, name: data.name, registeredAt: data.at };
    if (!view) return undefined;
    // The table has each type's own function under its name.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return (FOLD[type] as (view: UserView, data: UserEvent['data']) => UserView)(view, data);
  },
};
