import { Command } from '../decider.js';
import type { Answer } from './events.js';
import type { ReadingCommand } from './reading-commands.js';
import type { ScheduleCommand } from './schedule-commands.js';

type Of<More extends object> = Readonly<{ userId: string; conversationId: string }> & More;

/** Have a conversation otherwise in one's list: muted, archived, pinned, in folders, as unread. */
export class ArrangeConversation extends Command<
  'ArrangeConversation',
  Of<{
    mutedUntil?: string | undefined;
    archived?: Answer | undefined;
    pinned?: Answer | undefined;
    markedUnread?: Answer | undefined;
    folders?: string | undefined;
    settings?: string | undefined;
  }>
> {
  readonly type = 'ArrangeConversation';
}
/** Keep a message where one finds it again, with a note if one likes. */
export class SaveMessage extends Command<
  'SaveMessage',
  Of<{ messageId: string; note?: string | undefined }>
> {
  readonly type = 'SaveMessage';
}
/** Keep it no longer. */
export class UnsaveMessage extends Command<'UnsaveMessage', Of<{ messageId: string }>> {
  readonly type = 'UnsaveMessage';
}

/** A wish about what one keeps for oneself. */
export type OwnCommand =
  ReadingCommand | ArrangeConversation | SaveMessage | UnsaveMessage | ScheduleCommand;
