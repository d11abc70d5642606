import { stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type {
  BlockPerson,
  ChangePhone,
  ChangePreferences,
  ChangePrivacy,
  ChangeProfile,
  ChooseUsername,
  DeleteAccount,
  EndSession,
  RemoveDevice,
  StartSession,
  UserCommand,
} from './commands.js';
import type { SessionEnd, UserEvent } from './events.js';
import { evolve, initial, settingsOf, type Privacy, type User } from './evolve.js';

/** Devices one person links at most (abuse 83). */
export const DEVICES_MAX = 6;
/** Settings of apps that are kept for one person. */
export const PREFERENCES_MAX = 256;
/** People one person blocks at most: the list stays under 40 KiB. */
export const BLOCKED_MAX = 1_000;

type Rule<C> = (command: C, state: User) => readonly UserEvent[];
type Rules = { [C in UserCommand as C['type']]: Rule<C> };

const NOTHING: readonly UserEvent[] = [];

type MayLack<T> = { [K in keyof T]-?: undefined extends T[K] ? K : never }[keyof T];
type Given<T> = Omit<T, MayLack<T>> & { [K in MayLack<T>]?: Exclude<T[K], undefined> };

/** Leaves out what was not given, which is not the same as given as `undefined`. */
const given = <T extends object>(data: T): Given<T> => {
  const entries = Object.entries(data).filter(([, value]) => value !== undefined);
  // Only what may be absent is left out.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return Object.fromEntries(entries) as Given<T>;
};

const stamped = <D extends object>({
  meta,
  data,
}: Readonly<{ meta: UserCommand['meta']; data: D }>) => given({ ...stampOf(meta), ...data });

const sessionOf = (state: User, sessionId: string): string | undefined =>
  [...state.devices].find(([, session]) => session === sessionId)?.[0];

/** The end of each session there is, but one device's. */
const ends = (
  { meta, data }: Pick<UserCommand, 'meta' | 'data'>,
  state: User,
  { reason, exceptDevice }: Readonly<{ reason: SessionEnd; exceptDevice?: string | undefined }>,
): UserEvent[] =>
  [...state.devices].flatMap(([deviceId, sessionId]) =>
    sessionId === undefined || deviceId === exceptDevice
      ? []
      : [
          {
            type: 'SessionRevoked',
            data: { ...stampOf(meta), userId: data.userId, sessionId, deviceId, reason },
          },
        ],
  );

/** The claim was made before another change, which may be about to release it. */
const mustBeOf = (asOf: number, changedAt: number): void => {
  if (changedAt > asOf) reject('conflict', 'This was changed at the same time; try again.');
};

const chooseUsername: Rule<ChooseUsername> = (command, state) => {
  const { asOf, ...chosen } = command.data;
  mustBeOf(asOf, state.usernameAt);
  if (state.usernameClaim === chosen.claim) return NOTHING;
  const data = { ...chosen, previousClaim: state.usernameClaim };
  return [{ type: 'UsernameChosen', data: stamped({ meta: command.meta, data }) }];
};

const changeProfile: Rule<ChangeProfile> = (command) => [
  { type: 'ProfileChanged', data: stamped(command) },
];

const changePhone: Rule<ChangePhone> = ({ meta, data: { asOf, ...data } }, state) => {
  mustBeOf(asOf, state.phoneAt);
  return state.phone === data.phone
    ? NOTHING
    : [{ type: 'PhoneChanged', data: stamped({ meta, data }) }];
};

const changePrivacy: Rule<ChangePrivacy> = ({ meta, data }, state) => {
  const { userId, ...wanted } = given(data);
  const settings = Object.entries(wanted);
  // The names are the schema's.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const isNew = settings.some(([name, to]) => state.privacy[name as keyof Privacy] !== to);
  return isNew
    ? [{ type: 'PrivacyChanged', data: given({ ...stampOf(meta), userId, ...wanted }) }]
    : NOTHING;
};

const changePreferences: Rule<ChangePreferences> = (command, state) => {
  const names = Object.entries(settingsOf(command.data.changes)).flatMap(([name, value]) =>
    value === null ? [] : [name],
  );
  if (new Set([...state.preferences, ...names]).size > PREFERENCES_MAX)
    reject('too_large', `At most ${PREFERENCES_MAX} settings are kept; take some away first.`);
  return [{ type: 'PreferencesChanged', data: stamped(command) }];
};

const block: Rule<BlockPerson> = (command, state) => {
  const { blocked, userId } = command.data;
  if (state.blocked.has(blocked)) return NOTHING;
  if (blocked === userId) return reject('invalid', 'Nobody blocks themselves.');
  if (state.blocked.size >= BLOCKED_MAX)
    return reject('too_large', `At most ${BLOCKED_MAX} people are blocked; unblock some first.`);
  return [{ type: 'PersonBlocked', data: stamped(command) }];
};

/** Logging in brings back who was away. */
const back = ({ meta, data: { userId } }: StartSession, state: User): UserEvent[] => {
  const data = { ...stampOf(meta), userId };
  return [
    ...(state.status === 'deactivated' ? [{ type: 'AccountReactivated', data } as const] : []),
    ...(state.deletionDueAt === undefined ? [] : [{ type: 'DeletionCancelled', data } as const]),
  ];
};

const startSession: Rule<StartSession> = (command, state) => {
  const { meta, data } = command;
  const { userId, deviceId, sessionId, name, platform, replacing, ...more } = data;
  if (state.devices.get(deviceId) === sessionId) return NOTHING;
  const events = back(command, state);
  if (replacing !== undefined && replacing !== deviceId && state.devices.has(replacing))
    events.push(...removed(command, state, replacing));
  const room = state.devices.size - (events.some(({ type }) => type === 'DeviceRemoved') ? 1 : 0);
  if (!state.devices.has(deviceId)) {
    if (room >= DEVICES_MAX)
      reject(
        'too_many_devices',
        `At most ${DEVICES_MAX} devices are linked; name one to replace.`,
        {
          devices: [...state.devices.keys()],
        },
      );
    events.push({
      type: 'DeviceLinked',
      data: { ...stampOf(meta), userId, deviceId, name, platform },
    });
  }
  const former = state.devices.get(deviceId);
  if (former !== undefined) events.push(ended(command, former, deviceId, 'replaced'));
  const started = given({ ...stampOf(meta), userId, sessionId, deviceId, ...more });
  return [...events, { type: 'SessionStarted', data: started }];
};

const ended = (
  { meta, data: { userId } }: Pick<UserCommand, 'meta' | 'data'>,
  sessionId: string,
  deviceId: string,
  reason: SessionEnd,
): UserEvent => ({
  type: 'SessionRevoked',
  data: { ...stampOf(meta), userId, sessionId, deviceId, reason },
});

const endSession: Rule<EndSession> = (command, state) => {
  const { sessionId, reason } = command.data;
  const deviceId = sessionOf(state, sessionId) ?? reject('not_found', 'There is no such session.');
  return [ended(command, sessionId, deviceId, reason)];
};

const removed = (
  command: Pick<UserCommand, 'meta' | 'data'>,
  state: User,
  deviceId: string,
): UserEvent[] => {
  const session = state.devices.get(deviceId);
  const { userId } = command.data;
  return [
    ...(session === undefined ? [] : [ended(command, session, deviceId, 'device_removed')]),
    { type: 'DeviceRemoved', data: { ...stampOf(command.meta), userId, deviceId } },
  ];
};

const mustBeLinked = (state: User, deviceId: string): void => {
  if (!state.devices.has(deviceId)) reject('not_found', 'There is no such device.');
};

const removeDevice: Rule<RemoveDevice> = (command, state) => {
  mustBeLinked(state, command.data.deviceId);
  return removed(command, state, command.data.deviceId);
};

const deleteAccount: Rule<DeleteAccount> = (command, state) => {
  const { meta, data } = command;
  const { deletionDueAt } = state;
  // Times of one form compare as their texts do.
  if (deletionDueAt === undefined || meta.at < deletionDueAt) return NOTHING;
  return [
    ...ends(command, state, { reason: 'deactivated' }),
    {
      type: 'AccountDeleted',
      data: given({ ...stampOf(meta), ...data, usernameClaim: state.usernameClaim }),
    },
  ];
};

const RULES: Rules = {
  RegisterUser: (command, state) =>
    state.registered ? NOTHING : [{ type: 'UserRegistered', data: stamped(command) }],
  RenameUser: (command) => [{ type: 'UserRenamed', data: stamped(command) }],
  ChooseUsername: chooseUsername,
  ChangeProfile: changeProfile,
  ChangePhone: changePhone,
  ChangePrivacy: changePrivacy,
  ChangePreferences: changePreferences,
  BlockPerson: block,
  UnblockPerson: (command, state) =>
    state.blocked.has(command.data.blocked)
      ? [{ type: 'PersonUnblocked', data: stamped(command) }]
      : NOTHING,
  StartSession: startSession,
  EndSession: endSession,
  EndSessions: (command, state) => ends(command, state, command.data),
  RenameDevice: (command, state) => {
    mustBeLinked(state, command.data.deviceId);
    return [{ type: 'DeviceRenamed', data: stamped(command) }];
  },
  RemoveDevice: removeDevice,
  NoteRefusedLogin: (command) => [{ type: 'LoginRefused', data: stamped(command) }],
  HoldLogin: (command) => [{ type: 'LoginHeld', data: stamped(command) }],
  DeactivateAccount: (command, state) =>
    state.status === 'active'
      ? [
          ...ends(command, state, { reason: 'deactivated' }),
          { type: 'AccountDeactivated', data: stamped(command) },
        ]
      : NOTHING,
  ScheduleDeletion: (command, state) =>
    state.deletionDueAt === undefined
      ? [
          ...ends(command, state, { reason: 'deactivated' }),
          { type: 'DeletionScheduled', data: stamped(command) },
        ]
      : NOTHING,
  DeleteAccount: deleteAccount,
  ErasePerson: (command, state) =>
    state.isErased
      ? NOTHING
      : [
          ...ends(command, state, { reason: 'deactivated' }),
          { type: 'PersonErased', data: stamped(command) },
        ],
  GrantRole: (command, state) =>
    state.roles.has(command.data.role)
      ? NOTHING
      : [{ type: 'RoleGranted', data: stamped(command) }],
  WithdrawRole: (command, state) =>
    state.roles.has(command.data.role)
      ? [{ type: 'RoleWithdrawn', data: stamped(command) }]
      : NOTHING,
};

const decide = (command: UserCommand, state: User): readonly UserEvent[] => {
  const isThere =
    state.registered && (state.status !== 'deleted' || command.type === 'ErasePerson');
  if (!isThere && command.type !== 'RegisterUser') reject('not_found', 'There is no such person.');
  // The table has each type's own rule under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (RULES[command.type] as Rule<UserCommand>)(command, state);
};

/** The consistency boundary of one person. */
export const user: Decider<User, UserCommand, UserEvent> = {
  name: 'user',
  streamOf: (command) => `user-${command.data.userId}`,
  initial,
  decide,
  evolve,
};
