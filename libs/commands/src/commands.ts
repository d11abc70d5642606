import canonicalize from 'canonicalize';
import { z } from 'zod';
import {
  AddMembers,
  audience,
  BlockPerson,
  ChangePhone,
  ChangePreferences,
  ChangePrivacy,
  ChangeProfile,
  ChooseUsername,
  claim,
  DeactivateAccount,
  DeleteAccount,
  EndSession,
  EndSessions,
  GrantRole,
  HoldLogin,
  NoteRefusedLogin,
  RemoveDevice,
  RenameDevice,
  ScheduleDeletion,
  StartSession,
  UnblockPerson,
  WithdrawRole,
  conversation,
  FollowBroadcast,
  LeaveConversation,
  MakeClaim,
  RegisterUser,
  ReleaseClaim,
  RemoveMember,
  RenameConversation,
  RenameUser,
  SendMessage,
  StartConversation,
  UnfollowBroadcast,
  user,
  type Command,
  type CommandMeta,
} from '#domain';
import { directConversationOf, uuidOf } from '#platform';
import { handled } from './handled.js';
import {
  ADD_MEMBERS_MAX,
  id,
  name,
  people,
  preferences,
  privacy,
  profile,
  START_MEMBERS_MAX,
  text,
  username,
} from './inputs.js';

/** A command's meta while its stream, and so the id of its event, is still to be found. */
export type Draft = Omit<CommandMeta, 'eventId'>;

/** What a command may ask of other streams before it is decided. */
export type Beforehand = Readonly<{
  /** Throws `not_found` unless the conversation is a broadcast; a kind never changes. */
  mustBeBroadcast: (conversationId: string) => Promise<void>;
  /** Throws `not_found` where some of these people do not exist. */
  mustExist: (userIds: readonly string[]) => Promise<void>;
  /** Makes the actor the holder of a username, or throws `username_taken`; gives the claim. */
  claimUsername: (username: string, meta: Draft) => Promise<string>;
}>;

/** A command as clients name it: what it takes, the stream it is about, what it becomes. */
export type CommandEntry<I extends z.ZodType = z.ZodType, D extends object = object> = Readonly<{
  input: I;
  /** Completes the data by what must come first in other streams. */
  beforehand?(data: z.infer<I>, meta: Draft, ask: Beforehand): Promise<D>;
  streamOf(data: D, meta: Draft): string;
  toCommand(data: D, meta: CommandMeta): Command;
}>;

type Making<D> = new (data: D, meta: CommandMeta) => Command;
type About = Readonly<{ conversationId: string }>;

const inConversation = <I extends z.ZodType<About>>(input: I, Made: Making<z.infer<I>>) => ({
  input,
  streamOf: ({ conversationId }: About) => `conversation-${conversationId}`,
  toCommand: (data: z.infer<I>, meta: CommandMeta) => new Made(data, meta),
});

const inAudience = <I extends z.ZodType<About>>(input: I, Made: Making<z.infer<I>>) => ({
  input,
  beforehand: async (data: z.infer<I>, _meta: Draft, ask: Beforehand) => {
    await ask.mustBeBroadcast(data.conversationId);
    return data;
  },
  streamOf: ({ conversationId }: About) => `audience-${conversationId}`,
  toCommand: (data: z.infer<I>, meta: CommandMeta) => new Made(data, meta),
});

/** Days in which a person may come back before their account is deleted. */
export const DELETION_GRACE_DAYS = 30;
const DELETION_GRACE_MS = DELETION_GRACE_DAYS * 86_400_000;

const streamOfActor = (_data: object, { actor }: Draft) => `user-${actor}`;

const ofActor = <D extends object>(
  input: z.ZodType<D>,
  Made: Making<D & Readonly<{ userId: string }>>,
) => ({
  input,
  streamOf: streamOfActor,
  toCommand: (data: D, meta: CommandMeta) => new Made({ ...data, userId: meta.actor }, meta),
});

/** About somebody else, and the direct conversation with them. */
const withPerson = (
  Made: Making<Readonly<{ userId: string; blocked: string; conversationId: string }>>,
  mustExist: boolean,
) => ({
  input: z.strictObject({ userId: id }),
  beforehand: async (data: Readonly<{ userId: string }>, _meta: Draft, ask: Beforehand) => {
    if (mustExist) await ask.mustExist([data.userId]);
    return data;
  },
  streamOf: streamOfActor,
  toCommand: ({ userId: blocked }: Readonly<{ userId: string }>, meta: CommandMeta) => {
    const conversationId = directConversationOf(meta.actor, blocked);
    return new Made({ userId: meta.actor, blocked, conversationId }, meta);
  },
});

const conversationOnly = z.strictObject({ conversationId: id });
const starting = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('direct'), with: id }),
  z.strictObject({
    kind: z.enum(['group', 'broadcast']),
    conversationId: id.optional(),
    name,
    members: z.array(id).max(START_MEMBERS_MAX),
  }),
]);
type Starting = z.infer<typeof starting>;
type Adding = Readonly<{ conversationId: string; members: string[] }>;

/** A repeat of the command finds the same conversation, whoever chose its id. */
const conversationOf = (data: Starting, { actor, device = '', commandId }: Draft): string =>
  data.kind === 'direct'
    ? directConversationOf(actor, data.with)
    : (data.conversationId ?? uuidOf(`conversation:${device}:${commandId}`));

/** Every command that a door takes, by its dotted name. */
export const COMMANDS = {
  'conversation.start': {
    input: starting,
    beforehand: async (data: Starting, _meta: Draft, ask: Beforehand) => {
      await ask.mustExist(data.kind === 'direct' ? [data.with] : data.members);
      return data;
    },
    streamOf: (data: Starting, meta: Draft) => `conversation-${conversationOf(data, meta)}`,
    toCommand: (data: Starting, meta: CommandMeta) =>
      new StartConversation(
        {
          conversationId: conversationOf(data, meta),
          ...(data.kind === 'direct'
            ? { kind: data.kind, members: [data.with] }
            : { kind: data.kind, name: data.name, members: data.members }),
        },
        meta,
      ),
  },
  'conversation.rename': inConversation(
    z.strictObject({ conversationId: id, name }),
    RenameConversation,
  ),
  'conversation.leave': inConversation(conversationOnly, LeaveConversation),
  'member.add': {
    ...inConversation(
      z.strictObject({ conversationId: id, members: people(ADD_MEMBERS_MAX) }),
      AddMembers,
    ),
    beforehand: async (data: Adding, _meta: Draft, ask: Beforehand) => {
      await ask.mustExist(data.members);
      return data;
    },
  },
  'member.remove': inConversation(z.strictObject({ conversationId: id, userId: id }), RemoveMember),
  'message.send': inConversation(z.strictObject({ conversationId: id, text }), SendMessage),
  'broadcast.follow': inAudience(conversationOnly, FollowBroadcast),
  'broadcast.unfollow': inAudience(conversationOnly, UnfollowBroadcast),
  'user.rename': ofActor(z.strictObject({ name }), RenameUser),
  'profile.change': ofActor(profile, ChangeProfile),
  'privacy.change': ofActor(privacy, ChangePrivacy),
  'preferences.change': {
    ...ofActor(z.strictObject({ changes: z.string() }), ChangePreferences),
    input: preferences,
    beforehand: (data: z.infer<typeof preferences>) =>
      Promise.resolve({ changes: canonicalize(data) ?? '{}' }),
  },
  'person.block': withPerson(BlockPerson, true),
  'person.unblock': withPerson(UnblockPerson, false),
  'device.rename': ofActor(z.strictObject({ deviceId: id, name }), RenameDevice),
  'device.remove': ofActor(z.strictObject({ deviceId: id }), RemoveDevice),
  'session.revoke': {
    input: z.strictObject({ sessionId: id }),
    streamOf: streamOfActor,
    toCommand: (data: Readonly<{ sessionId: string }>, meta: CommandMeta) =>
      new EndSession({ ...data, userId: meta.actor, reason: 'revoked' }, meta),
  },
  /** All but the caller's own. */
  'sessions.revoke': {
    input: z.strictObject({}),
    streamOf: streamOfActor,
    toCommand: (_data: object, meta: CommandMeta) =>
      new EndSessions({ userId: meta.actor, exceptDevice: meta.device, reason: 'revoked' }, meta),
  },
  'account.deactivate': ofActor(z.strictObject({}), DeactivateAccount),
  /** After a time of grace, in which a login takes it back. */
  'account.delete': {
    input: z.strictObject({}),
    streamOf: streamOfActor,
    toCommand: (_data: object, meta: CommandMeta) => {
      const dueAt = new Date(Date.parse(meta.at) + DELETION_GRACE_MS).toISOString();
      return new ScheduleDeletion({ userId: meta.actor, dueAt }, meta);
    },
  },
  'username.choose': {
    ...ofActor(z.strictObject({ username, claim: z.string() }), ChooseUsername),
    input: z.strictObject({ username }),
    beforehand: async (data: Readonly<{ username: string }>, meta: Draft, ask: Beforehand) => ({
      ...data,
      claim: await ask.claimUsername(data.username, meta),
    }),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** The dotted name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** One handler for each command, for Nest to provide; @nestjs/cqrs finds them by the class. */
export const commandHandlers = [
  handled(StartConversation, conversation),
  handled(RenameConversation, conversation),
  handled(LeaveConversation, conversation),
  handled(AddMembers, conversation),
  handled(RemoveMember, conversation),
  handled(SendMessage, conversation),
  handled(FollowBroadcast, audience),
  handled(UnfollowBroadcast, audience),
  handled(RegisterUser, user),
  handled(RenameUser, user),
  handled(ChooseUsername, user),
  handled(ChangeProfile, user),
  handled(ChangePhone, user),
  handled(ChangePrivacy, user),
  handled(ChangePreferences, user),
  handled(BlockPerson, user),
  handled(UnblockPerson, user),
  handled(StartSession, user),
  handled(EndSession, user),
  handled(EndSessions, user),
  handled(RenameDevice, user),
  handled(RemoveDevice, user),
  handled(NoteRefusedLogin, user),
  handled(HoldLogin, user),
  handled(DeactivateAccount, user),
  handled(ScheduleDeletion, user),
  handled(DeleteAccount, user),
  handled(GrantRole, user),
  handled(WithdrawRole, user),
  handled(MakeClaim, claim),
  handled(ReleaseClaim, claim),
];
