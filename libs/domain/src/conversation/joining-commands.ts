import { Command } from '../decider.js';
import type { ACCESSES, HISTORIES } from './joining-events.js';

type In<More extends object = object> = { conversationId: string } & More;
type Sized<More extends object = object> = In<{ sizeMax?: number | undefined } & More>;

/** Say who finds a group, who waits for an approval, and what newcomers read. */
export class ChangeJoining extends Command<
  'ChangeJoining',
  In<{
    access?: (typeof ACCESSES)[number] | undefined;
    approval?: boolean | undefined;
    history?: (typeof HISTORIES)[number] | undefined;
  }>
> {
  readonly type = 'ChangeJoining';
}
/** Make a link by which people come in. */
export class CreateInvite extends Command<
  'CreateInvite',
  In<{ expiresAt?: string | undefined; uses?: number | undefined; approval?: boolean | undefined }>
> {
  readonly type = 'CreateInvite';
}
/** Make it worth nothing. */
export class RevokeInvite extends Command<'RevokeInvite', In<{ inviteId: string }>> {
  readonly type = 'RevokeInvite';
}
/** Come in by a link, or ask to. */
export class JoinByInvite extends Command<'JoinByInvite', Sized<{ inviteId: string }>> {
  readonly type = 'JoinByInvite';
}
/** Come into a public group, or ask to. */
export class JoinConversation extends Command<'JoinConversation', Sized> {
  readonly type = 'JoinConversation';
}
/** Let somebody in who asked. */
export class ApproveRequest extends Command<'ApproveRequest', Sized<{ userId: string }>> {
  readonly type = 'ApproveRequest';
}
/** Do not let them in, or ask no longer oneself. */
export class EndRequest extends Command<'EndRequest', In<{ userId: string }>> {
  readonly type = 'EndRequest';
}
/** Come in where one was invited. */
export class AcceptInvitation extends Command<'AcceptInvitation', Sized> {
  readonly type = 'AcceptInvitation';
}
/** Do not come, or invite somebody no longer. */
export class EndInvitation extends Command<'EndInvitation', In<{ userId: string }>> {
  readonly type = 'EndInvitation';
}

/** A wish about how people come into a group. */
export type JoiningCommand =
  | ChangeJoining
  | CreateInvite
  | RevokeInvite
  | JoinByInvite
  | JoinConversation
  | ApproveRequest
  | EndRequest
  | AcceptInvitation
  | EndInvitation;
