import { stampOf } from '../decider.js';
import { reject } from '../rejection.js';
import type {
  AddMembers,
  LeaveConversation,
  RemoveMember,
  RenameConversation,
  StartConversation,
} from './commands.js';
import type { ConversationEvent } from './events.js';
import type { Conversation } from './evolve.js';
import { WAITING_MAX } from './joining-rules.js';
import { mustBeAllowed, mustNotBeBanned } from './permissions.js';
import { mustBeBelow } from './role-rules.js';
import { mustFit, roleOf, type Rule, type Rules } from './rules.js';

/** Members one MembersAdded carries: keeps an event near 8 KiB. */
export const MEMBERS_PER_EVENT_MAX = 200;

const added = (
  { data, meta }: StartConversation | AddMembers,
  newcomers: readonly string[],
  role: 'admin' | 'member',
  history?: 'all',
): ConversationEvent[] =>
  Array.from({ length: Math.ceil(newcomers.length / MEMBERS_PER_EVENT_MAX) }, (_, page) => ({
    type: 'MembersAdded',
    data: {
      ...stampOf(meta),
      conversationId: data.conversationId,
      members: newcomers.slice(page * MEMBERS_PER_EVENT_MAX, (page + 1) * MEMBERS_PER_EVENT_MAX),
      role,
      ...(history === undefined ? {} : { history }),
    },
  }));

/** Those who are not added without being asked are asked. */
const invited = (
  { data, meta }: StartConversation | AddMembers,
  state: Conversation,
  people: readonly string[],
): ConversationEvent[] =>
  people
    .filter((userId) => !state.joining.invited.has(userId))
    .map((userId) => ({
      type: 'MemberInvited',
      data: { ...stampOf(meta), conversationId: data.conversationId, userId },
    }));

/** Those who come at once, and those who are asked first. */
const sorted = (people: readonly string[], reluctant: readonly string[] = []) => {
  const shy = new Set(reluctant);
  return {
    asked: people.filter((userId) => shy.has(userId)),
    coming: people.filter((userId) => !shy.has(userId)),
  };
};

const start: Rule<StartConversation> = (command, state) => {
  const { data, meta } = command;
  const others = [...new Set(data.members)].filter((userId) => userId !== meta.actor);
  if (state.kind) {
    // Both may open their direct conversation, and either may do so again.
    if (state.kind === 'direct' && state.members.has(meta.actor)) return [];
    return reject('already_exists', 'A conversation with this id exists; choose another id.');
  }
  // With oneself: notes.
  const isOfOne = others.length === 0 && data.members.length > 0;
  if (data.kind === 'direct' && others.length !== 1 && !isOfOne)
    reject('invalid', 'A direct conversation is with exactly one person.');
  const { asked, coming } = sorted(others, data.reluctant);
  mustFit(coming.length + 1, data.sizeMax);
  const { conversationId, kind, name } = data;
  const started = { ...stampOf(meta), conversationId, kind, ...(name ? { name } : {}) };
  return [
    { type: 'ConversationStarted', data: started },
    ...added(command, coming, kind === 'broadcast' ? 'admin' : 'member'),
    ...invited(command, state, asked),
  ];
};

const add: Rule<AddMembers> = (command, state) => {
  const { data, meta } = command;
  mustBeAllowed(state, meta.actor, 'add');
  const newcomers = [...new Set(data.members)].filter((user) => !state.members.has(user));
  if (newcomers.length === 0) reject('already_a_member', 'Everybody named is in already.');
  mustNotBeBanned(state, newcomers, meta.at);
  const { asked, coming } = sorted(newcomers, data.reluctant);
  mustFit(state.members.size + coming.length, data.sizeMax);
  if (state.joining.requests.size + state.joining.invited.size + asked.length > WAITING_MAX)
    reject('too_large', `At most ${WAITING_MAX} people wait at a group's door.`);
  const role = state.kind === 'broadcast' ? 'admin' : 'member';
  const history = state.joining.history === 'all' ? ('all' as const) : undefined;
  return [...added(command, coming, role, history), ...invited(command, state, asked)];
};

const remove: Rule<RemoveMember> = ({ data, meta }, state) => {
  const role = mustBeAllowed(state, meta.actor, 'remove');
  const theirs = state.members.get(data.userId) ?? reject('not_found', 'They are not a member.');
  mustBeBelow(theirs, role);
  return [{ type: 'MemberRemoved', data: { ...stampOf(meta), ...data } }];
};

const leave: Rule<LeaveConversation> = ({ data, meta }, state) => {
  const role = roleOf(state, meta.actor);
  if (state.kind === 'direct') reject('forbidden', 'A direct conversation has always its two.');
  const { conversationId } = data;
  const left: ConversationEvent = {
    type: 'MemberLeft',
    data: { ...stampOf(meta), conversationId, userId: meta.actor },
  };
  const others = [...state.members].filter(([userId]) => userId !== meta.actor);
  const heir =
    others.find(([, held]) => held === 'admin') ??
    others.find(([, held]) => held === 'moderator') ??
    others[0];
  if (role !== 'owner' || !heir || others.some(([, held]) => held === 'owner')) return [left];
  const [userId] = heir;
  const inherited = { ...stampOf(meta), conversationId, userId, role: 'owner' as const };
  return [left, { type: 'RoleChanged', data: inherited }];
};

const rename: Rule<RenameConversation> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'info');
  return [{ type: 'ConversationRenamed', data: { ...stampOf(meta), ...data } }];
};

/** Who is in a conversation, what it is called. */
export const groupRules: Rules<
  'StartConversation' | 'AddMembers' | 'RemoveMember' | 'LeaveConversation' | 'RenameConversation'
> = {
  StartConversation: start,
  AddMembers: add,
  RemoveMember: remove,
  LeaveConversation: leave,
  RenameConversation: rename,
};
