import { Command, stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { ConversationEvent, ConversationKind, Role } from './events.js';
import { evolve, initial, snapshots, type Conversation } from './evolve.js';

/** Members one MembersAdded carries: keeps an event near 8 KiB. */
export const MEMBERS_PER_EVENT_MAX = 200;
/** Members of one group: its state stays under 1 MiB. Larger audiences are broadcasts. */
export const GROUP_MEMBERS_MAX = 5_000;

/** Begin a conversation; the caller becomes its owner (in a direct one, a member). */
export class StartConversation extends Command<
  'StartConversation',
  {
    conversationId: string;
    kind: ConversationKind;
    name?: string | undefined;
    members: readonly string[];
  }
> {
  readonly type = 'StartConversation';
}
/** Add people to a group, or admins to a broadcast. */
export class AddMembers extends Command<
  'AddMembers',
  { conversationId: string; members: readonly string[] }
> {
  readonly type = 'AddMembers';
}
/** Take somebody out of a group. */
export class RemoveMember extends Command<
  'RemoveMember',
  { conversationId: string; userId: string }
> {
  readonly type = 'RemoveMember';
}
/** Leave a group. The last owner's place goes to the member who has been there longest. */
export class LeaveConversation extends Command<'LeaveConversation', { conversationId: string }> {
  readonly type = 'LeaveConversation';
}
/** Give a group another name. */
export class RenameConversation extends Command<
  'RenameConversation',
  { conversationId: string; name: string }
> {
  readonly type = 'RenameConversation';
}
/** Say something in a conversation. */
export class SendMessage extends Command<'SendMessage', { conversationId: string; text: string }> {
  readonly type = 'SendMessage';
}

/** A wish about one conversation. */
export type ConversationCommand =
  | StartConversation
  | AddMembers
  | RemoveMember
  | LeaveConversation
  | RenameConversation
  | SendMessage;

const roleOf = (state: Conversation, userId: string): Role =>
  state.members.get(userId) ??
  reject('not_found', 'There is no such conversation, or you are not in it.');

const mustAdminister = (state: Conversation, userId: string): void => {
  if (state.kind === 'direct') reject('forbidden', 'A direct conversation has always its two.');
  if (roleOf(state, userId) === 'member') reject('forbidden', 'Only an admin may do this.');
};

const added = (
  { data, meta }: StartConversation | AddMembers,
  newcomers: readonly string[],
  role: Role,
): ConversationEvent[] =>
  Array.from({ length: Math.ceil(newcomers.length / MEMBERS_PER_EVENT_MAX) }, (_, page) => ({
    type: 'MembersAdded',
    data: {
      ...stampOf(meta),
      conversationId: data.conversationId,
      members: newcomers.slice(page * MEMBERS_PER_EVENT_MAX, (page + 1) * MEMBERS_PER_EVENT_MAX),
      role,
    },
  }));

const mustFit = (count: number): void => {
  if (count > GROUP_MEMBERS_MAX)
    reject('conversation_full', `A group holds at most ${GROUP_MEMBERS_MAX} members.`);
};

const start = (command: StartConversation, state: Conversation): ConversationEvent[] => {
  const { data, meta } = command;
  const others = [...new Set(data.members)].filter((userId) => userId !== meta.actor);
  if (state.kind) {
    // Both may open their direct conversation, and either may do so again.
    if (state.kind === 'direct' && state.members.has(meta.actor)) return [];
    return reject('already_exists', 'A conversation with this id exists; choose another id.');
  }
  if (data.kind === 'direct' && others.length !== 1)
    reject('invalid', 'A direct conversation is with exactly one other person.');
  mustFit(others.length + 1);
  const { conversationId, kind, name } = data;
  const started = { ...stampOf(meta), conversationId, kind, ...(name ? { name } : {}) };
  return [
    { type: 'ConversationStarted', data: started },
    ...added(command, others, kind === 'broadcast' ? 'admin' : 'member'),
  ];
};

const add = (command: AddMembers, state: Conversation): ConversationEvent[] => {
  mustAdminister(state, command.meta.actor);
  const newcomers = [...new Set(command.data.members)].filter((user) => !state.members.has(user));
  if (newcomers.length === 0) reject('already_a_member', 'Everybody named is in already.');
  mustFit(state.members.size + newcomers.length);
  return added(command, newcomers, state.kind === 'broadcast' ? 'admin' : 'member');
};

const remove = ({ data, meta }: RemoveMember, state: Conversation): ConversationEvent[] => {
  mustAdminister(state, meta.actor);
  const role = state.members.get(data.userId) ?? reject('not_found', 'They are not a member.');
  if (role === 'owner') reject('forbidden', 'An owner cannot be removed.');
  return [{ type: 'MemberRemoved', data: { ...stampOf(meta), ...data } }];
};

const leave = ({ data, meta }: LeaveConversation, state: Conversation): ConversationEvent[] => {
  const role = roleOf(state, meta.actor);
  if (state.kind === 'direct') reject('forbidden', 'A direct conversation has always its two.');
  const { conversationId } = data;
  const left: ConversationEvent = {
    type: 'MemberLeft',
    data: { ...stampOf(meta), conversationId, userId: meta.actor },
  };
  const others = [...state.members].filter(([userId]) => userId !== meta.actor);
  const heir = others.find(([, held]) => held === 'admin') ?? others[0];
  if (role !== 'owner' || !heir || others.some(([, held]) => held === 'owner')) return [left];
  const [userId] = heir;
  const inherited = { ...stampOf(meta), conversationId, userId, role: 'owner' as const };
  return [left, { type: 'RoleChanged', data: inherited }];
};

const rename = ({ data, meta }: RenameConversation, state: Conversation): ConversationEvent[] => {
  mustAdminister(state, meta.actor);
  return [{ type: 'ConversationRenamed', data: { ...stampOf(meta), ...data } }];
};

const send = ({ data, meta }: SendMessage, state: Conversation): ConversationEvent[] => {
  roleOf(state, meta.actor);
  const { conversationId, text } = data;
  return [
    {
      type: 'MessageSent',
      data: {
        ...stampOf(meta),
        conversationId,
        messageId: meta.eventId,
        number: state.number + 1,
        text,
      },
    },
  ];
};

const decide = (
  command: ConversationCommand,
  state: Conversation,
): readonly ConversationEvent[] => {
  switch (command.type) {
    case 'StartConversation':
      return start(command, state);
    case 'AddMembers':
      return add(command, state);
    case 'RemoveMember':
      return remove(command, state);
    case 'LeaveConversation':
      return leave(command, state);
    case 'RenameConversation':
      return rename(command, state);
    case 'SendMessage':
      return send(command, state);
  }
};

/** The consistency boundary of one conversation: its members and messages in one total order. */
export const conversation: Decider<Conversation, ConversationCommand, ConversationEvent> = {
  name: 'conversation',
  streamOf: (command) => `conversation-${command.data.conversationId}`,
  initial,
  decide,
  evolve,
  outboxes: (state) => state.outboxes,
  snapshots,
  linked: true,
};
