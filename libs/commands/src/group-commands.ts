import { z } from 'zod';
import {
  ACTIONS,
  BanMember,
  ChangePace,
  ChangePermissions,
  ChangeRole,
  conversation,
  DeleteConversation,
  DescribeConversation,
  LEFT_BEHIND,
  PER_MINUTE_MAX,
  ROLES,
  SLOW_MODE_S_MAX,
  TransferOwnership,
  UnbanMember,
} from '#domain';
import { inConversation, type CommandEntry } from './entries.js';
import { handled } from './handled.js';
import { AVATAR_CHARS_MAX, id, name, wellFormed } from './inputs.js';

/** Characters of what a group says about itself. */
const DESCRIPTION_CHARS_MAX = 2_000;

const inside = z.strictObject({ conversationId: id });
const member = inside.extend({ userId: id });

/** What is to be otherwise about a group; an empty text takes it away. */
export const description = z.strictObject({
  name: name.optional(),
  description: wellFormed.max(DESCRIPTION_CHARS_MAX).optional(),
  image: z
    .string()
    .regex(/^[\w./:@-]*$/, { error: 'Must be the reference of a picture.' })
    .max(AVATAR_CHARS_MAX)
    .optional(),
});
const describing = description
  .extend({ conversationId: id })
  .refine((given) => Object.keys(given).length > 1, { error: 'Name what is to change.' });

/** The least role for some of what members do. */
export const permissions = z
  .partialRecord(z.enum(ACTIONS), z.enum(ROLES))
  .refine((given) => Object.keys(given).length > 0, { error: 'Name what is to change.' });

/** How fast may be said what; 0 is no limit. */
export const pace = z.strictObject({
  slowModeS: z.int().min(0).max(SLOW_MODE_S_MAX).optional(),
  perMinute: z.int().min(0).max(PER_MINUTE_MAX).optional(),
});
const pacing = pace
  .extend({ conversationId: id })
  .refine((given) => Object.keys(given).length > 1, { error: 'Name what is to change.' });

/** Until when somebody may not come back; absent: for ever. */
export const banning = z.strictObject({
  until: z.iso
    .datetime()
    .transform((at) => new Date(at).toISOString())
    .optional(),
});

/** Who may do what in a group, what it says about itself, how fast may be said what, its end. */
export const groupCommands = {
  'conversation.change': inConversation(describing, DescribeConversation),
  'conversation.delete': inConversation(
    inside.extend({ history: z.enum(LEFT_BEHIND) }),
    DeleteConversation,
  ),
  'role.change': inConversation(
    member.extend({ role: z.enum(['admin', 'moderator', 'member']) }),
    ChangeRole,
  ),
  'ownership.transfer': inConversation(member, TransferOwnership),
  'member.ban': inConversation(member.extend(banning.shape), BanMember),
  'member.unban': inConversation(member, UnbanMember),
  'permissions.change': inConversation(inside.extend({ permissions }), ChangePermissions),
  'pace.change': inConversation(pacing, ChangePace),
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const groupHandlers = [
  handled(DescribeConversation, conversation),
  handled(DeleteConversation, conversation),
  handled(ChangeRole, conversation),
  handled(TransferOwnership, conversation),
  handled(BanMember, conversation),
  handled(UnbanMember, conversation),
  handled(ChangePermissions, conversation),
  handled(ChangePace, conversation),
];
