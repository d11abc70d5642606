import { reject } from '../rejection.js';
import type { ConversationCommand } from './commands.js';
import type { ConversationEvent } from './events.js';
import type { Role } from './roles.js';
import type { Conversation } from './evolve.js';

/** What one type of command comes to; throws a Rejection where it must not be. */
export type Rule<C extends ConversationCommand> = (
  command: C,
  state: Conversation,
) => readonly ConversationEvent[];

/** The rules of some of the commands, each under its command's type. */
export type Rules<Type extends ConversationCommand['type'] = ConversationCommand['type']> =
  Readonly<{
    [T in Type]: Rule<Extract<ConversationCommand, { type: T }>>;
  }>;

/** A person's role; who has none is told that there is nothing. */
export const roleOf = (state: Conversation, userId: string): Role =>
  state.members.get(userId) ??
  reject('not_found', 'There is no such conversation, or you are not in it.');

/** Members of one group: its state stays under 1 MiB. Larger audiences are broadcasts. */
export const GROUP_MEMBERS_MAX = 5_000;

/** Refuses (`conversation_full`) more members than there may be here, or anywhere. */
export const mustFit = (count: number, sizeMax = GROUP_MEMBERS_MAX): void => {
  const most = Math.min(sizeMax, GROUP_MEMBERS_MAX);
  if (count > most) reject('conversation_full', `A group holds at most ${most} members.`);
};
