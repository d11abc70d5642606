import type { Recorded } from '../decider.js';
import type { UserEvent } from './events.js';

/** Events of the security feed, and how the wire names them. */
export const NOTICE_TYPES = {
  UserRegistered: 'user.registered',
  UsernameChosen: 'username.chosen',
  PhoneChanged: 'phone.changed',
  PrivacyChanged: 'privacy.changed',
  DeviceRenamed: 'device.renamed',
  DeviceRemoved: 'device.removed',
  SessionStarted: 'session.started',
  SessionRevoked: 'session.revoked',
  LoginRefused: 'login.refused',
  LoginHeld: 'login.held',
  AccountDeactivated: 'account.deactivated',
  AccountReactivated: 'account.reactivated',
  DeletionScheduled: 'deletion.scheduled',
  DeletionCancelled: 'deletion.cancelled',
  RoleGranted: 'role.granted',
  RoleWithdrawn: 'role.withdrawn',
} as const satisfies Partial<Record<UserEvent['type'], string>>;

/** The dotted name of a notice. */
export type NoticeType = (typeof NOTICE_TYPES)[keyof typeof NOTICE_TYPES];

/** Something about an account that its person should know of, as the wire has it. */
export type Notice = Readonly<{
  v: 1;
  id: string;
  type: NoticeType;
  /** Place in the log, a decimal string. */
  position: string;
  at: string;
  /** The device that did it, if one did. */
  by?: string;
  data: Readonly<Record<string, unknown>>;
}>;

const isOne = (type: UserEvent['type']): type is keyof typeof NOTICE_TYPES => type in NOTICE_TYPES;

/** What a person is told of an event about them; most are told, some concern nobody's safety. */
export const noticeOf = (event: Recorded<UserEvent>): Notice | undefined => {
  if (!isOne(event.type)) return undefined;
  const { by: _by, at, origin, userId: _userId, ...rest } = event.data;
  const data: Record<string, unknown> = { ...rest };
  // Streams of claims are nobody's business but the log's.
  delete data['claim'];
  delete data['previousClaim'];
  return {
    v: 1,
    id: event.id,
    type: NOTICE_TYPES[event.type],
    position: String(event.position),
    at,
    ...(origin.device === undefined ? {} : { by: origin.device }),
    data,
  };
};
