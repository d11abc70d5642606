import { freezeOutboxes, remember, type Outbox, type Outboxes } from '../outbox.js';
import type { Snapshots } from '../decider.js';
import type { ConversationEvent, ConversationKind } from './events.js';
import {
  cameIn,
  closedJoining,
  frozenJoining,
  inviteMade,
  thawedJoining,
  type FrozenJoining,
  type Joining,
} from './joining.js';
import { noPace, paced, setPace, type Pace } from './pace.js';
import { givenOf, type Permissions, type Role } from './roles.js';

/** Latest messages kept in the state: who is told of a read mark, and the number at a seq. */
export const RECENT_MESSAGES_MAX = 64;

/** Deleted messages that the state remembers: 16 an hour for as long as any can be edited. */
export const DELETED_MAX = 400;

/** A message that a mark may still point at. */
export type RecentMessage = Readonly<{ seq: number; number: number; by: string }>;

/** Only what a decision needs. */
export type Conversation = {
  kind: ConversationKind | undefined;
  /** Revision of the last event; -1 before the first. */
  head: number;
  /** Messages so far. */
  number: number;
  /** Role by user id, in the order of joining. */
  members: Map<string, Role>;
  /** What an owner has changed of who may do what. */
  permissions: Partial<Permissions>;
  /** Until when people may not come back, in milliseconds; for ever is the greatest integer. */
  bans: Map<string, number>;
  pace: Pace;
  joining: Joining;
  outboxes: Outboxes;
  /** Oldest first. */
  recent: RecentMessage[];
  /** Messages that were deleted, with their place: they can be edited no more. */
  deleted: Map<string, number>;
  /** Messages that are shown at the top. */
  pins: Set<string>;
  /** Messages up to this place can be edited no more: which were deleted is forgotten. */
  forgotten: number;
};

export const initial = (): Conversation => ({
  kind: undefined,
  head: -1,
  number: 0,
  members: new Map(),
  permissions: {},
  bans: new Map(),
  pace: noPace(),
  joining: closedJoining(),
  outboxes: new Map(),
  recent: [],
  deleted: new Map(),
  pins: new Set(),
  forgotten: -1,
});

/** What an event changes in the state; most change nothing that a decision needs. */
type Fold<Type extends ConversationEvent['type']> = (
  state: Conversation,
  data: Extract<ConversationEvent, { type: Type }>['data'],
  revision: number,
) => void;
type Folds = Readonly<{ [Type in ConversationEvent['type']]: Fold<Type> }>;

const nothing = (): void => undefined;
const leave = (state: Conversation, userId: string): void => {
  state.members.delete(userId);
  state.pace.last.delete(userId);
};
const gone = (state: Conversation, { userId }: Readonly<{ userId: string }>): void => {
  leave(state, userId);
};

/** JSON has no Infinity. */
const FOR_EVER = Number.MAX_SAFE_INTEGER;

const ban = (
  state: Conversation,
  { userId, until, at }: Readonly<{ userId: string; until?: string; at: string }>,
): void => {
  leave(state, userId);
  state.joining.requests.delete(userId);
  state.joining.invited.delete(userId);
  const now = Date.parse(at);
  for (const [banned, end] of state.bans) if (end <= now) state.bans.delete(banned);
  state.bans.set(userId, until === undefined ? FOR_EVER : Date.parse(until));
};

const permit = (state: Conversation, data: Partial<Permissions>): void => {
  state.permissions = { ...state.permissions, ...givenOf(data) };
};

const forgetOldest = (state: Conversation): void => {
  for (const [messageId, seq] of state.deleted) {
    if (state.deleted.size <= DELETED_MAX) return;
    state.deleted.delete(messageId);
    state.forgotten = Math.max(state.forgotten, seq);
  }
};

const FOLDS: Folds = {
  ConversationStarted: (state, { by, kind }) => {
    state.kind = kind;
    state.members.set(by, kind === 'direct' ? 'member' : 'owner');
  },
  MembersAdded: (state, { members, role, inviteId }) => {
    for (const userId of members) state.members.set(userId, role);
    cameIn(state.joining, members, inviteId);
  },
  JoiningChanged: ({ joining }, { access, approval, history }) => {
    joining.access = access ?? joining.access;
    joining.approval = approval === undefined ? joining.approval : approval === 'yes';
    joining.history = history ?? joining.history;
  },
  InviteCreated: ({ joining }, data) => inviteMade(joining, data),
  InviteRevoked: ({ joining }, { inviteId }) => {
    joining.invites.delete(inviteId);
  },
  JoinRequested: ({ joining }, { userId }) => {
    joining.requests.add(userId);
  },
  JoinRequestEnded: ({ joining }, { userId }) => {
    joining.requests.delete(userId);
  },
  MemberInvited: ({ joining }, { userId, by }) => {
    joining.invited.set(userId, by);
  },
  InvitationEnded: ({ joining }, { userId }) => {
    joining.invited.delete(userId);
  },
  MemberRemoved: gone,
  MemberLeft: gone,
  RoleChanged: (state, { userId, role }) => {
    state.members.set(userId, role);
  },
  MemberBanned: ban,
  MemberUnbanned: (state, { userId }) => {
    state.bans.delete(userId);
  },
  ConversationRenamed: nothing,
  ConversationDescribed: nothing,
  PermissionsChanged: permit,
  PaceChanged: (state, data) => setPace(state.pace, data),
  ConversationDeleted: nothing,
  MembersDismissed: (state, { members }) => {
    for (const userId of members) leave(state, userId);
  },
  MessageSent: (state, { by, number, at }, revision) => {
    paced(state.pace, by, Date.parse(at));
    state.number = number;
    state.recent.push({ seq: revision, number, by });
    if (state.recent.length > RECENT_MESSAGES_MAX) state.recent.shift();
  },
  MessageEdited: nothing,
  MessageDeleted: (state, { messageId, messageSeq }) => {
    state.deleted.set(messageId, messageSeq);
    state.pins.delete(messageId);
    forgetOldest(state);
  },
  MessagePinned: (state, { messageId }) => {
    state.pins.add(messageId);
  },
  MessageUnpinned: (state, { messageId }) => {
    state.pins.delete(messageId);
  },
};

export const evolve = (
  state: Conversation,
  event: ConversationEvent,
  revision: number,
): Conversation => {
  // The table has each type's own fold under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  (FOLDS[event.type] as Fold<ConversationEvent['type']>)(state, event.data, revision);
  state.head = revision;
  remember(state.outboxes, event.data.origin, revision);
  return state;
};

type Frozen = Omit<
  Conversation,
  'members' | 'outboxes' | 'deleted' | 'pins' | 'bans' | 'pace' | 'joining'
> & {
  bans: [string, number][];
  pace: Omit<Pace, 'last'> & { last: [string, number][] };
  joining: FrozenJoining;
  pins: string[];
  deleted: [string, number][];
  members: [string, Role][];
  outboxes: [string, Outbox][];
};

export const snapshots: Snapshots<Conversation> = {
  version: 5,
  freeze: (state) => ({
    ...state,
    members: [...state.members],
    outboxes: freezeOutboxes(state.outboxes),
    deleted: [...state.deleted],
    pins: [...state.pins],
    bans: [...state.bans],
    joining: frozenJoining(state.joining),
    pace: { ...state.pace, last: [...state.pace.last], times: [...state.pace.times] },
  }),
  thaw: (frozen) => {
    // A snapshot of this version was written by `freeze` above; others are never thawed.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const { members, outboxes, deleted, pins, bans, pace, joining, ...rest } = frozen as Frozen;
    return {
      ...rest,
      members: new Map(members),
      outboxes: new Map(outboxes),
      deleted: new Map(deleted),
      pins: new Set(pins),
      bans: new Map(bans),
      joining: thawedJoining(joining),
      pace: { ...pace, last: new Map(pace.last) },
    };
  },
};
