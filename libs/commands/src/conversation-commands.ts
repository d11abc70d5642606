import { z } from 'zod';
import {
  AddMembers,
  audience,
  conversation,
  FollowBroadcast,
  LeaveConversation,
  RemoveMember,
  RenameConversation,
  StartConversation,
  UnfollowBroadcast,
  type CommandMeta,
} from '#domain';
import { directConversationOf, uuidOf } from '#platform';
import {
  inConversation,
  inAudience,
  streamOfConversation,
  type Beforehand,
  type CommandEntry,
  type Draft,
} from './entries.js';
import { handled } from './handled.js';
import { ADD_MEMBERS_MAX, id, name, people, START_MEMBERS_MAX } from './inputs.js';

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
const adding = z.strictObject({ conversationId: id, members: people(ADD_MEMBERS_MAX) });
type Adding = z.infer<typeof adding>;
/** How many a group may hold is a setting; the log keeps only what came of it. */
type Sized<Data> = Data & Readonly<{ sizeMax: number }>;

/** A repeat of the command finds the same conversation, whoever chose its id. */
const conversationOf = (data: Starting, { actor, device = '', commandId }: Draft): string =>
  data.kind === 'direct'
    ? directConversationOf(actor, data.with)
    : (data.conversationId ?? uuidOf(`conversation:${device}:${commandId}`));

/** Conversations, who is in them, who follows them. */
export const conversationCommands = {
  'conversation.start': {
    input: starting,
    beforehand: async (data: Starting, { actor }: Draft, ask: Beforehand) => {
      await ask.mustExist(data.kind === 'direct' ? [data.with] : data.members);
      const reluctant = data.kind === 'direct' ? [] : await ask.reluctant(actor, data.members);
      return { ...data, reluctant, sizeMax: ask.sizeMax };
    },
    streamOf: (data: Starting, meta: Draft) => `conversation-${conversationOf(data, meta)}`,
    toCommand: (
      data: Sized<Starting> & Readonly<{ reluctant: readonly string[] }>,
      meta: CommandMeta,
    ) =>
      new StartConversation(
        {
          conversationId: conversationOf(data, meta),
          sizeMax: data.sizeMax,
          reluctant: data.reluctant,
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
    input: adding,
    beforehand: async (data: Adding, { actor }: Draft, ask: Beforehand) => {
      await ask.mustExist(data.members);
      const reluctant = await ask.reluctant(actor, data.members);
      return { ...data, reluctant, sizeMax: ask.sizeMax };
    },
    streamOf: streamOfConversation,
    toCommand: (
      data: Sized<Adding> & Readonly<{ reluctant: readonly string[] }>,
      meta: CommandMeta,
    ) => new AddMembers(data, meta),
  },
  'member.remove': inConversation(z.strictObject({ conversationId: id, userId: id }), RemoveMember),
  'broadcast.follow': inAudience(conversationOnly, FollowBroadcast),
  'broadcast.unfollow': inAudience(conversationOnly, UnfollowBroadcast),
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const conversationHandlers = [
  handled(StartConversation, conversation),
  handled(RenameConversation, conversation),
  handled(LeaveConversation, conversation),
  handled(AddMembers, conversation),
  handled(RemoveMember, conversation),
  handled(FollowBroadcast, audience),
  handled(UnfollowBroadcast, audience),
];
