import { stampOf } from '../decider.js';
import { reject } from '../rejection.js';
import type { ConversationEvent } from './events.js';
import type { Conversation } from './evolve.js';
import type {
  BanMember,
  ChangePace,
  ChangePermissions,
  ChangeRole,
  DeleteConversation,
  DescribeConversation,
  GroupCommand,
  TransferOwnership,
  UnbanMember,
} from './group-commands.js';
import { mustBeAllowed, permissionsOf } from './permissions.js';
import { ACTIONS, isAtLeast, type Role } from './roles.js';
import { roleOf, type Rule, type Rules } from './rules.js';

/** People that a group bans at most; who is banned only for a time makes room when it is over. */
export const BANS_MAX = 1_000;
/** Members that one MembersDismissed carries: keeps an event near 8 KiB. */
const DISMISSED_PER_EVENT_MAX = 200;

/** Refuses to act on an owner, and on those who are more than oneself. */
export const mustBeBelow = (theirs: Role, own: Role): void => {
  if (theirs === 'owner') reject('forbidden', 'An owner cannot be removed.');
  if (!isAtLeast(own, theirs)) reject('forbidden', 'They are more than you are here.');
};

const mustOwn = (state: Conversation, userId: string): void => {
  if (state.kind === 'direct') reject('forbidden', 'A direct conversation has always its two.');
  if (roleOf(state, userId) !== 'owner') reject('forbidden', 'Only the owner may do this.');
};

const present = (state: Conversation, userId: string): Role =>
  state.members.get(userId) ?? reject('not_found', 'They are not a member.');

const describe: Rule<DescribeConversation> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'info');
  const { conversationId, name, description, image } = data;
  const about = { ...stampOf(meta), conversationId };
  const renamed: ConversationEvent[] =
    name === undefined ? [] : [{ type: 'ConversationRenamed', data: { ...about, name } }];
  if (description === undefined && image === undefined) return renamed;
  const said = {
    ...(description === undefined ? {} : { description }),
    ...(image === undefined ? {} : { image }),
  };
  return [...renamed, { type: 'ConversationDescribed', data: { ...about, ...said } }];
};

const changeRole: Rule<ChangeRole> = ({ data, meta }, state) => {
  const own = mustBeAllowed(state, meta.actor, 'roles');
  const theirs = present(state, data.userId);
  if (theirs === 'owner') reject('forbidden', 'An owner hands on what they own, or keeps it.');
  mustBeBelow(theirs, own);
  if (!isAtLeast(own, data.role)) reject('forbidden', 'Nobody makes others more than themselves.');
  if (state.kind === 'broadcast' && data.role !== 'admin')
    reject('invalid', 'Who is no admin of a broadcast follows it.');
  if (theirs === data.role) return [];
  return [{ type: 'RoleChanged', data: { ...stampOf(meta), ...data } }];
};

const transfer: Rule<TransferOwnership> = ({ data, meta }, state) => {
  mustOwn(state, meta.actor);
  present(state, data.userId);
  if (data.userId === meta.actor) return [];
  const { conversationId } = data;
  const about = { ...stampOf(meta), conversationId };
  return [
    { type: 'RoleChanged', data: { ...about, userId: data.userId, role: 'owner' } },
    { type: 'RoleChanged', data: { ...about, userId: meta.actor, role: 'admin' } },
  ];
};

const ban: Rule<BanMember> = ({ data, meta }, state) => {
  const own = mustBeAllowed(state, meta.actor, 'ban');
  const { conversationId, userId, until } = data;
  if (userId === meta.actor) reject('invalid', 'Nobody bans themselves; leave instead.');
  mustBeBelow(state.members.get(userId) ?? 'member', own);
  if (until !== undefined && Date.parse(until) <= Date.parse(meta.at))
    reject('invalid', 'A ban ends at a time that is to come.');
  const standing = [...state.bans.values()].filter((end) => end > Date.parse(meta.at));
  if (!state.bans.has(userId) && standing.length >= BANS_MAX)
    reject('too_large', `At most ${BANS_MAX} people are banned; let one come back first.`);
  const wasIn = state.members.has(userId) ? ('yes' as const) : ('no' as const);
  const about = { ...stampOf(meta), conversationId, userId, wasIn };
  return [{ type: 'MemberBanned', data: { ...about, ...(until === undefined ? {} : { until }) } }];
};

const unban: Rule<UnbanMember> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'ban');
  if (!state.bans.has(data.userId)) return [];
  return [{ type: 'MemberUnbanned', data: { ...stampOf(meta), ...data } }];
};

const permit: Rule<ChangePermissions> = ({ data, meta }, state) => {
  mustOwn(state, meta.actor);
  const now = permissionsOf(state);
  const changed = ACTIONS.flatMap((action) => {
    const role = data.permissions[action];
    return role === undefined || role === now[action] ? [] : [[action, role] as const];
  });
  if (changed.length === 0) return [];
  const { conversationId } = data;
  const about = { ...stampOf(meta), conversationId };
  return [{ type: 'PermissionsChanged', data: { ...about, ...Object.fromEntries(changed) } }];
};

const pace: Rule<ChangePace> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'configure');
  const { conversationId, slowModeS, perMinute } = data;
  const wanted = {
    ...(slowModeS === undefined || slowModeS === state.pace.slowModeS ? {} : { slowModeS }),
    ...(perMinute === undefined || perMinute === state.pace.perMinute ? {} : { perMinute }),
  };
  if (Object.keys(wanted).length === 0) return [];
  return [{ type: 'PaceChanged', data: { ...stampOf(meta), conversationId, ...wanted } }];
};

const end: Rule<DeleteConversation> = ({ data, meta }, state) => {
  mustOwn(state, meta.actor);
  const about = { ...stampOf(meta), ...data };
  // Whoever ends it leaves last.
  const everybody = [
    ...[...state.members.keys()].filter((userId) => userId !== meta.actor),
    meta.actor,
  ];
  const pages = Math.ceil(everybody.length / DISMISSED_PER_EVENT_MAX);
  const dismissed = Array.from({ length: pages }, (_, page): ConversationEvent => {
    const from = page * DISMISSED_PER_EVENT_MAX;
    const members = everybody.slice(from, from + DISMISSED_PER_EVENT_MAX);
    return { type: 'MembersDismissed', data: { ...about, members } };
  });
  return [{ type: 'ConversationDeleted', data: about }, ...dismissed];
};

/** Who may do what in a group, who may not come back, how fast may be said what, its end. */
export const roleRules: Rules<GroupCommand['type']> = {
  DescribeConversation: describe,
  ChangeRole: changeRole,
  TransferOwnership: transfer,
  BanMember: ban,
  UnbanMember: unban,
  ChangePermissions: permit,
  ChangePace: pace,
  DeleteConversation: end,
};
