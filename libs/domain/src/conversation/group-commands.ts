import { Command } from '../decider.js';
import type { LEFT_BEHIND } from './group-events.js';
import type { Permissions, Role } from './roles.js';

type In<More extends object = object> = { conversationId: string } & More;

/** Say what a group is about, or show another picture; an empty text takes it away. */
export class DescribeConversation extends Command<
  'DescribeConversation',
  In<{ name?: string | undefined; description?: string | undefined; image?: string | undefined }>
> {
  readonly type = 'DescribeConversation';
}
/** Make a member an admin, a moderator or a mere member. */
export class ChangeRole extends Command<
  'ChangeRole',
  In<{ userId: string; role: Exclude<Role, 'owner'> }>
> {
  readonly type = 'ChangeRole';
}
/** Make another member the owner. */
export class TransferOwnership extends Command<'TransferOwnership', In<{ userId: string }>> {
  readonly type = 'TransferOwnership';
}
/** Take somebody out and let them not come back, until a time or for ever. */
export class BanMember extends Command<
  'BanMember',
  In<{ userId: string; until?: string | undefined }>
> {
  readonly type = 'BanMember';
}
/** Let them come back. */
export class UnbanMember extends Command<'UnbanMember', In<{ userId: string }>> {
  readonly type = 'UnbanMember';
}
/** Say who may do what. */
export class ChangePermissions extends Command<
  'ChangePermissions',
  In<{ permissions: Partial<Permissions> }>
> {
  readonly type = 'ChangePermissions';
}
/** Say how fast may be said what. */
export class ChangePace extends Command<
  'ChangePace',
  In<{ slowModeS?: number | undefined; perMinute?: number | undefined }>
> {
  readonly type = 'ChangePace';
}
/** End a group for all. */
export class DeleteConversation extends Command<
  'DeleteConversation',
  In<{ history: (typeof LEFT_BEHIND)[number] }>
> {
  readonly type = 'DeleteConversation';
}

/** A wish about a group beside who is in it. */
export type GroupCommand =
  | DescribeConversation
  | ChangeRole
  | TransferOwnership
  | BanMember
  | UnbanMember
  | ChangePermissions
  | ChangePace
  | DeleteConversation;
