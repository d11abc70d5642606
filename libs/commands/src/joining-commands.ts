import { z } from 'zod';
import {
  AcceptInvitation,
  ACCESSES,
  ApproveRequest,
  ChangeJoining,
  conversation,
  CreateInvite,
  EndInvitation,
  EndRequest,
  HISTORIES,
  JoinByInvite,
  JoinConversation,
  RevokeInvite,
  type CommandMeta,
} from '#domain';
import {
  inConversation,
  streamOfConversation,
  type About,
  type Beforehand,
  type CommandEntry,
  type Draft,
  type Making,
} from './entries.js';
import { handled } from './handled.js';
import { id } from './inputs.js';
import { INVITE_TOKEN_CHARS, type InviteNames } from './invites.js';

/** People that one link lets in at most: as many as a group holds. */
const USES_MAX = 5_000;

const inside = z.strictObject({ conversationId: id });
const person = inside.extend({ userId: id });

/** How people come into a group. */
export const joining = z.strictObject({
  access: z.enum(ACCESSES).optional(),
  approval: z.boolean().optional(),
  history: z.enum(HISTORIES).optional(),
});
const changing = joining
  .extend({ conversationId: id })
  .refine((given) => Object.keys(given).length > 1, { error: 'Name what is to change.' });

/** A link to be made; without an end or a number of uses it stays good until it is revoked. */
export const inviting = z.strictObject({
  expiresAt: z.iso
    .datetime()
    .transform((at) => new Date(at).toISOString())
    .optional(),
  uses: z.int().min(1).max(USES_MAX).optional(),
  approval: z.boolean().optional(),
});

/** What comes after the last slash of a link. */
export const inviteToken = z
  .string()
  .regex(/^[\w-]+$/)
  .length(INVITE_TOKEN_CHARS, { error: 'Must be the token of a link.' });
const byLink = z.strictObject({ token: inviteToken });

type Sized<Data> = Data & Readonly<{ sizeMax: number }>;

/** Where somebody may come in, if there is room. */
const comingIn = <I extends z.ZodType<About>>(input: I, Made: Making<Sized<z.infer<I>>>) => ({
  input,
  beforehand: (data: z.infer<I>, _meta: Draft, ask: Beforehand) =>
    Promise.resolve({ ...data, sizeMax: ask.sizeMax }),
  streamOf: streamOfConversation,
  toCommand: (data: Sized<z.infer<I>>, meta: CommandMeta) => new Made(data, meta),
});

/** How people come into groups by themselves. */
export const joiningCommands = {
  'joining.change': inConversation(changing, ChangeJoining),
  'invite.create': inConversation(inside.extend(inviting.shape), CreateInvite),
  'invite.revoke': inConversation(inside.extend({ inviteId: id }), RevokeInvite),
  'invite.join': {
    input: byLink,
    beforehand: async ({ token }: z.infer<typeof byLink>, { actor }: Draft, ask: Beforehand) => ({
      ...(await ask.invite(actor, token)),
      sizeMax: ask.sizeMax,
    }),
    streamOf: streamOfConversation,
    toCommand: (data: Sized<InviteNames>, meta: CommandMeta) => new JoinByInvite(data, meta),
  },
  'conversation.join': comingIn(inside, JoinConversation),
  'request.approve': comingIn(person, ApproveRequest),
  'request.end': inConversation(person, EndRequest),
  'invitation.accept': comingIn(inside, AcceptInvitation),
  'invitation.end': inConversation(person, EndInvitation),
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const joiningHandlers = [
  handled(ChangeJoining, conversation),
  handled(CreateInvite, conversation),
  handled(RevokeInvite, conversation),
  handled(JoinByInvite, conversation),
  handled(JoinConversation, conversation),
  handled(ApproveRequest, conversation),
  handled(EndRequest, conversation),
  handled(AcceptInvitation, conversation),
  handled(EndInvitation, conversation),
];
