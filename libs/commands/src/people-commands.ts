import canonicalize from 'canonicalize';
import { z } from 'zod';
import {
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
  MakeClaim,
  NoteRefusedLogin,
  RegisterUser,
  ReleaseClaim,
  RemoveDevice,
  RenameDevice,
  RenameUser,
  ScheduleDeletion,
  StartSession,
  UnblockPerson,
  user,
  WithdrawRole,
  type CommandMeta,
} from '#domain';
import { directConversationOf } from '#platform';
import {
  ofActor,
  streamOfActor,
  type Beforehand,
  type CommandEntry,
  type Draft,
  type Making,
} from './entries.js';
import { handled } from './handled.js';
import { id, name, preferences, privacy, profile, username } from './inputs.js';

/** Days in which a person may come back before their account is deleted. */
export const DELETION_GRACE_DAYS = 30;
const DELETION_GRACE_MS = DELETION_GRACE_DAYS * 86_400_000;

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

/** Of a person's own account. */
export const peopleCommands = {
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
    ...ofActor(z.strictObject({ username, claim: z.string(), asOf: z.int() }), ChooseUsername),
    input: z.strictObject({ username }),
    beforehand: async (data: Readonly<{ username: string }>, meta: Draft, ask: Beforehand) => ({
      ...data,
      ...(await ask.claimUsername(data.username, meta)),
    }),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const peopleHandlers = [
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
