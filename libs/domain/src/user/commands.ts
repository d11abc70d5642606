import { Command } from '../decider.js';
import type { SessionEnd, SessionMethod, StaffRole } from './events.js';
import type { Privacy } from './evolve.js';

type Of<More extends object = object> = Readonly<{ userId: string }> & Readonly<More>;

/** Become a person of Scripta. Repeating it changes nothing: the phone's claim names the person. */
export class RegisterUser extends Command<'RegisterUser', Of<{ phone: string; name: string }>> {
  readonly type = 'RegisterUser';
}
/** Change the display name. */
export class RenameUser extends Command<'RenameUser', Of<{ name: string }>> {
  readonly type = 'RenameUser';
}
/** Show a username whose claim the person holds, made as of that revision of their stream. */
export class ChooseUsername extends Command<
  'ChooseUsername',
  Of<{ username: string; claim: string; asOf: number }>
> {
  readonly type = 'ChooseUsername';
}
/** Change what is given of the profile; an empty text takes it away. */
export class ChangeProfile extends Command<
  'ChangeProfile',
  Of<{ about?: string | undefined; avatar?: string | undefined }>
> {
  readonly type = 'ChangeProfile';
}
/** Go by another number, whose claim the person holds, made as of that revision. */
export class ChangePhone extends Command<
  'ChangePhone',
  Of<{ phone: string; claim: string; asOf: number; previousClaim?: string | undefined }>
> {
  readonly type = 'ChangePhone';
}
/** Change what is given of who may see and do what. */
export class ChangePrivacy extends Command<
  'ChangePrivacy',
  Of<{ [Setting in keyof Privacy]?: Privacy[Setting] | undefined }>
> {
  readonly type = 'ChangePrivacy';
}
/** Change settings of apps: a flat JSON object; null takes one away. */
export class ChangePreferences extends Command<'ChangePreferences', Of<{ changes: string }>> {
  readonly type = 'ChangePreferences';
}
/** Close oneself to somebody; `conversationId` is the direct conversation with them. */
export class BlockPerson extends Command<
  'BlockPerson',
  Of<{ blocked: string; conversationId: string }>
> {
  readonly type = 'BlockPerson';
}
/** Open oneself to them again. */
export class UnblockPerson extends Command<
  'UnblockPerson',
  Of<{ blocked: string; conversationId: string }>
> {
  readonly type = 'UnblockPerson';
}
/** Let a device act for the person. It is linked if it was not; a session it had ends. */
export class StartSession extends Command<
  'StartSession',
  Of<{
    sessionId: string;
    deviceId: string;
    name: string;
    platform: string;
    method: SessionMethod;
    approvedBy?: string | undefined;
    version?: string | undefined;
    place?: string | undefined;
    /** A device that makes room where there are as many as there may be. */
    replacing?: string | undefined;
  }>
> {
  readonly type = 'StartSession';
}
/** End one session. */
export class EndSession extends Command<
  'EndSession',
  Of<{ sessionId: string; reason: SessionEnd }>
> {
  readonly type = 'EndSession';
}
/** End every session but one device's, or all. */
export class EndSessions extends Command<
  'EndSessions',
  Of<{ exceptDevice?: string | undefined; reason: SessionEnd }>
> {
  readonly type = 'EndSessions';
}
/** Give a device another name. */
export class RenameDevice extends Command<'RenameDevice', Of<{ deviceId: string; name: string }>> {
  readonly type = 'RenameDevice';
}
/** Let a device act no longer, and end its session. */
export class RemoveDevice extends Command<'RemoveDevice', Of<{ deviceId: string }>> {
  readonly type = 'RemoveDevice';
}
/** Write down that somebody guessed at the person's codes until no guess was left. */
export class NoteRefusedLogin extends Command<
  'NoteRefusedLogin',
  Of<{ place?: string | undefined }>
> {
  readonly type = 'NoteRefusedLogin';
}
/** Tell the person's devices that a new one waits for their approval. */
export class HoldLogin extends Command<
  'HoldLogin',
  Of<{ approvalId: string; name: string; platform: string; place?: string | undefined }>
> {
  readonly type = 'HoldLogin';
}
/** Go out of sight, all sessions ended, until the next login. */
export class DeactivateAccount extends Command<'DeactivateAccount', Of> {
  readonly type = 'DeactivateAccount';
}
/** Be deleted at a time, unless one logs in before. All sessions end. */
export class ScheduleDeletion extends Command<'ScheduleDeletion', Of<{ dueAt: string }>> {
  readonly type = 'ScheduleDeletion';
}
/** Delete what is due. */
export class DeleteAccount extends Command<
  'DeleteAccount',
  Of<{ phoneClaim?: string | undefined }>
> {
  readonly type = 'DeleteAccount';
}
/** Have it said in the person's own stream that they are erased. All sessions end. */
export class ErasePerson extends Command<'ErasePerson', Of> {
  readonly type = 'ErasePerson';
}
/** Make somebody an auditor, analyst or operator. */
export class GrantRole extends Command<'GrantRole', Of<{ role: StaffRole }>> {
  readonly type = 'GrantRole';
}
/** Take that back. */
export class WithdrawRole extends Command<'WithdrawRole', Of<{ role: StaffRole }>> {
  readonly type = 'WithdrawRole';
}

/** A wish about one person. */
export type UserCommand =
  | RegisterUser
  | RenameUser
  | ChooseUsername
  | ChangeProfile
  | ChangePhone
  | ChangePrivacy
  | ChangePreferences
  | BlockPerson
  | UnblockPerson
  | StartSession
  | EndSession
  | EndSessions
  | RenameDevice
  | RemoveDevice
  | NoteRefusedLogin
  | HoldLogin
  | DeactivateAccount
  | ScheduleDeletion
  | DeleteAccount
  | ErasePerson
  | GrantRole
  | WithdrawRole;
