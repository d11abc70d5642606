import { Command } from '../decider.js';

type OfMessage<More extends object = object> = Readonly<{
  userId: string;
  conversationId: string;
  messageId: string;
}> &
  More;

/** Delete a message for oneself alone. */
export class HideMessage extends Command<'HideMessage', OfMessage> {
  readonly type = 'HideMessage';
}
/** Have it back. */
export class UnhideMessage extends Command<'UnhideMessage', OfMessage> {
  readonly type = 'UnhideMessage';
}
/** Have the replies of a thread as news. */
export class FollowThread extends Command<'FollowThread', OfMessage> {
  readonly type = 'FollowThread';
}
/** Have them as news no longer. */
export class UnfollowThread extends Command<'UnfollowThread', OfMessage> {
  readonly type = 'UnfollowThread';
}
/** Say how far one has read in a thread; `head` is the last seq that there is. */
export class ReadThread extends Command<'ReadThread', OfMessage<{ seq: number; head: number }>> {
  readonly type = 'ReadThread';
}

/** A wish about how one reads. */
export type ReadingCommand =
  HideMessage | UnhideMessage | FollowThread | UnfollowThread | ReadThread;
