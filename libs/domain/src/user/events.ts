import { event, open, optional, personal, stamp, type EventOf } from '../schema.js';

/** How a device came to its session: by a code, by a scanned link, or approved by another device. */
export const SESSION_METHODS = ['code', 'link', 'approval'] as const;
/** Why a session ended. */
export const SESSION_ENDS = [
  'logout',
  'revoked',
  'replaced',
  'device_removed',
  'token_reused',
  'deactivated',
  'operator',
] as const;
/** Who may see something, or do something to a person. */
export const VISIBILITIES = ['everyone', 'nobody'] as const;
/** Roles of people who look after the platform rather than chat. */
export const STAFF_ROLES = ['auditor', 'analyst', 'operator'] as const;

const about = { ...stamp, userId: open.uuid };
const visibility = optional(open.choice(...VISIBILITIES));

/** Everything that can have happened to a person: `user-<uuid>`. */
export const userEvents = {
  UserRegistered: event({
    ...about,
    /** E.164. */
    phone: personal.text,
    name: personal.text,
  }),
  UserRenamed: event({ ...about, name: personal.text }),
  /** The claim streams say who holds a username; this says which one a person shows. */
  UsernameChosen: event({
    ...about,
    username: personal.text,
    claim: open.text,
    previousClaim: optional(open.text),
  }),
  /** What is given has changed; an empty text takes it away. `avatar` refers to a picture. */
  ProfileChanged: event({
    ...about,
    about: optional(personal.text),
    avatar: optional(personal.text),
  }),
  /** The claim of the number that is left is free again. */
  PhoneChanged: event({
    ...about,
    phone: personal.text,
    claim: open.text,
    previousClaim: optional(open.text),
  }),
  /** What is given has changed. `login`: whether a new device needs an existing one's approval. */
  PrivacyChanged: event({
    ...about,
    lastSeen: visibility,
    typing: visibility,
    receipts: visibility,
    about: visibility,
    avatar: visibility,
    adding: visibility,
    writing: visibility,
    login: optional(open.choice('code', 'approval')),
  }),
  /** Settings of apps: a flat JSON object of what has changed; null takes a setting away. */
  PreferencesChanged: event({ ...about, changes: personal.text }),
  /** The direct conversation with them is closed from here on. */
  PersonBlocked: event({ ...about, blocked: open.uuid, conversationId: open.uuid }),
  PersonUnblocked: event({ ...about, blocked: open.uuid, conversationId: open.uuid }),

  DeviceLinked: event({
    ...about,
    deviceId: open.uuid,
    name: personal.text,
    platform: open.text,
  }),
  DeviceRenamed: event({ ...about, deviceId: open.uuid, name: personal.text }),
  DeviceRemoved: event({ ...about, deviceId: open.uuid }),
  /** `place`: coarse, as a trusted proxy says it. `approvedBy`: the device that let it in. */
  SessionStarted: event({
    ...about,
    sessionId: open.uuid,
    deviceId: open.uuid,
    method: open.choice(...SESSION_METHODS),
    approvedBy: optional(open.uuid),
    version: optional(open.text),
    place: optional(personal.text),
  }),
  SessionRevoked: event({
    ...about,
    sessionId: open.uuid,
    deviceId: open.uuid,
    reason: open.choice(...SESSION_ENDS),
  }),
  /** Somebody guessed at the person's codes until no guess was left. */
  LoginRefused: event({ ...about, place: optional(personal.text) }),
  /** Somebody knew a code, and waits for one of the person's devices to approve theirs. */
  LoginHeld: event({
    ...about,
    approvalId: open.uuid,
    name: personal.text,
    platform: open.text,
    place: optional(personal.text),
  }),

  /** Out of sight until the person logs in again. */
  AccountDeactivated: event({ ...about }),
  AccountReactivated: event({ ...about }),
  /** Deleted at that time, unless the person logs in before. */
  DeletionScheduled: event({ ...about, dueAt: open.time }),
  DeletionCancelled: event({ ...about }),
  /** For good. The claims are free for others. */
  AccountDeleted: event({
    ...about,
    phoneClaim: optional(open.text),
    usernameClaim: optional(open.text),
  }),

  /** Their key is destroyed, and with it every personal text of theirs; see the erasures. */
  PersonErased: event({ ...about }),

  RoleGranted: event({ ...about, role: open.choice(...STAFF_ROLES) }),
  RoleWithdrawn: event({ ...about, role: open.choice(...STAFF_ROLES) }),
} as const;

/** A fact about a person. */
export type UserEvent = EventOf<typeof userEvents>;
/** One of the ways to a session. */
export type SessionMethod = (typeof SESSION_METHODS)[number];
/** One of the ends of a session. */
export type SessionEnd = (typeof SESSION_ENDS)[number];
/** everyone or nobody. */
export type Visibility = (typeof VISIBILITIES)[number];
/** auditor, analyst or operator. */
export type StaffRole = (typeof STAFF_ROLES)[number];
