import { stampOf, type CommandMeta } from '../decider.js';
import { reject } from '../rejection.js';
import type { ConversationEvent } from './events.js';
import type { Conversation } from './evolve.js';
import type {
  AcceptInvitation,
  ApproveRequest,
  ChangeJoining,
  CreateInvite,
  EndInvitation,
  EndRequest,
  JoinByInvite,
  JoinConversation,
  JoiningCommand,
  RevokeInvite,
} from './joining-commands.js';
import type { WAYS_IN } from './joining-events.js';
import { mustBeAllowed, mustNotBeBanned } from './permissions.js';
import { mustFit, type Rule, type Rules } from './rules.js';

/** Links of one group that let people in at a time. */
export const INVITES_MAX = 50;
/** People who wait at the door of one group: asked, or asking. */
export const WAITING_MAX = 1_000;

const gone = (): never => reject('not_found', 'This link is not valid, or not any more.');
const unknown = (): never =>
  reject('not_found', 'There is no such conversation, or you are not in it.');

type Way = Readonly<{
  via: (typeof WAYS_IN)[number];
  userId: string;
  inviteId?: string;
  invitedBy?: string;
  sizeMax: number | undefined;
}>;

/** Somebody comes in: once, not while banned, and where there is room. */
const comesIn = (
  state: Conversation,
  meta: CommandMeta,
  conversationId: string,
  { userId, sizeMax, ...way }: Way,
): ConversationEvent[] => {
  if (state.members.has(userId)) return [];
  // Where nobody is any more there is nothing to come into.
  if (state.members.size === 0) unknown();
  mustNotBeBanned(state, [userId], meta.at);
  mustFit(state.members.size + 1, sizeMax);
  const history = state.joining.history === 'all' ? { history: 'all' as const } : {};
  const role = 'member' as const;
  const about = { ...stampOf(meta), conversationId, members: [userId], role };
  return [{ type: 'MembersAdded', data: { ...about, ...way, ...history } }];
};

/** Somebody asks to be let in. */
const asks = (
  state: Conversation,
  meta: CommandMeta,
  about: Readonly<{ conversationId: string; inviteId?: string }>,
): ConversationEvent[] => {
  const userId = meta.actor;
  if (state.members.has(userId) || state.joining.requests.has(userId)) return [];
  mustNotBeBanned(state, [userId], meta.at);
  mustHaveRoom(state);
  return [{ type: 'JoinRequested', data: { ...stampOf(meta), ...about, userId } }];
};

const mustHaveRoom = ({ joining }: Conversation): void => {
  if (joining.requests.size + joining.invited.size >= WAITING_MAX)
    reject('too_large', `At most ${WAITING_MAX} people wait at a group's door.`);
};

const change: Rule<ChangeJoining> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'configure');
  const { conversationId, access, approval, history } = data;
  const { joining } = state;
  if (state.kind !== 'group') reject('invalid', 'Only groups are joined; broadcasts are followed.');
  const wanted = {
    ...(access === undefined || access === joining.access ? {} : { access }),
    ...(approval === undefined || approval === joining.approval
      ? {}
      : { approval: approval ? ('yes' as const) : ('no' as const) }),
    ...(history === undefined || history === joining.history ? {} : { history }),
  };
  if (Object.keys(wanted).length === 0) return [];
  return [{ type: 'JoiningChanged', data: { ...stampOf(meta), conversationId, ...wanted } }];
};

const create: Rule<CreateInvite> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'invite');
  if (state.kind !== 'group') reject('invalid', 'Only groups are joined; broadcasts are followed.');
  const { conversationId, expiresAt, uses, approval } = data;
  const now = Date.parse(meta.at);
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now)
    reject('invalid', 'A link ends at a time that is to come.');
  const live = [...state.joining.invites.values()].filter(
    (invite) => (invite.expiresAt ?? Infinity) > now,
  );
  if (live.length >= INVITES_MAX)
    reject('too_large', `At most ${INVITES_MAX} links at a time; revoke one first.`);
  const about = { ...stampOf(meta), conversationId, inviteId: meta.eventId };
  const terms = {
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(uses === undefined ? {} : { uses }),
    approval: approval ? ('yes' as const) : ('no' as const),
  };
  return [{ type: 'InviteCreated', data: { ...about, ...terms } }];
};

const revoke: Rule<RevokeInvite> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'invite');
  if (!state.joining.invites.has(data.inviteId)) return [];
  return [{ type: 'InviteRevoked', data: { ...stampOf(meta), ...data } }];
};

const byInvite: Rule<JoinByInvite> = ({ data, meta }, state) => {
  const { conversationId, inviteId, sizeMax } = data;
  const userId = meta.actor;
  if (state.members.has(userId)) return [];
  const invite = state.joining.invites.get(inviteId) ?? gone();
  if ((invite.expiresAt ?? Infinity) <= Date.parse(meta.at)) gone();
  if (invite.approval) return asks(state, meta, { conversationId, inviteId });
  return comesIn(state, meta, conversationId, { via: 'link', userId, inviteId, sizeMax });
};

const join: Rule<JoinConversation> = ({ data, meta }, state) => {
  const { conversationId, sizeMax } = data;
  const userId = meta.actor;
  if (state.members.has(userId)) return [];
  if (state.kind !== 'group' || state.joining.access !== 'public' || state.members.size === 0)
    unknown();
  if (state.joining.approval) return asks(state, meta, { conversationId });
  return comesIn(state, meta, conversationId, { via: 'public', userId, sizeMax });
};

const approve: Rule<ApproveRequest> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'add');
  const { conversationId, userId, sizeMax } = data;
  if (state.members.has(userId)) return [];
  if (!state.joining.requests.has(userId)) reject('not_found', 'They do not ask to come in.');
  return comesIn(state, meta, conversationId, { via: 'request', userId, sizeMax });
};

const endRequest: Rule<EndRequest> = ({ data, meta }, state) => {
  const isOwn = data.userId === meta.actor;
  if (!isOwn) mustBeAllowed(state, meta.actor, 'add');
  if (!state.joining.requests.has(data.userId))
    return isOwn && !state.members.has(meta.actor) ? unknown() : [];
  const outcome = isOwn ? ('withdrawn' as const) : ('refused' as const);
  return [{ type: 'JoinRequestEnded', data: { ...stampOf(meta), ...data, outcome } }];
};

const accept: Rule<AcceptInvitation> = ({ data, meta }, state) => {
  const { conversationId, sizeMax } = data;
  const userId = meta.actor;
  if (state.members.has(userId)) return [];
  const invitedBy = state.joining.invited.get(userId) ?? unknown();
  const way = { via: 'invitation' as const, userId, invitedBy, sizeMax };
  return comesIn(state, meta, conversationId, way);
};

const endInvitation: Rule<EndInvitation> = ({ data, meta }, state) => {
  const isOwn = data.userId === meta.actor;
  if (!isOwn) mustBeAllowed(state, meta.actor, 'add');
  if (!state.joining.invited.has(data.userId)) return isOwn ? unknown() : [];
  const outcome = isOwn ? ('declined' as const) : ('withdrawn' as const);
  return [{ type: 'InvitationEnded', data: { ...stampOf(meta), ...data, outcome } }];
};

/** How people come into a group by themselves. */
export const joiningRules: Rules<JoiningCommand['type']> = {
  ChangeJoining: change,
  CreateInvite: create,
  RevokeInvite: revoke,
  JoinByInvite: byInvite,
  JoinConversation: join,
  ApproveRequest: approve,
  EndRequest: endRequest,
  AcceptInvitation: accept,
  EndInvitation: endInvitation,
};
