import { Command } from '../decider.js';
import type { ConversationKind } from './events.js';
import type { GroupCommand } from './group-commands.js';
import type { JoiningCommand } from './joining-commands.js';
import type { MessageCommand } from './message-commands.js';

/** Begin a conversation; the caller becomes its owner (in a direct one, a member). */
export class StartConversation extends Command<
  'StartConversation',
  {
    conversationId: string;
    kind: ConversationKind;
    name?: string | undefined;
    members: readonly string[];
    /** Members at most, where it is not the most that there can be. */
    sizeMax?: number | undefined;
    /** Those of them who are not added without being asked. */
    reluctant?: readonly string[] | undefined;
  }
> {
  readonly type = 'StartConversation';
}
/** Add people to a group, or admins to a broadcast. */
export class AddMembers extends Command<
  'AddMembers',
  {
    conversationId: string;
    members: readonly string[];
    sizeMax?: number | undefined;
    /** Those of them who are not added without being asked. */
    reluctant?: readonly string[] | undefined;
  }
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
/** A wish about one conversation. */
export type ConversationCommand =
  | StartConversation
  | AddMembers
  | RemoveMember
  | LeaveConversation
  | RenameConversation
  | GroupCommand
  | JoiningCommand
  | MessageCommand;
