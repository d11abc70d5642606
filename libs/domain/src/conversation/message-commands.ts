import { Command } from '../decider.js';
import type { MessageKind } from './message-events.js';

/** What a message holds. The doors have checked its form. */
export type MessageBody = Readonly<{
  text: string;
  kind?: MessageKind | undefined;
  /** People whom it mentions, each once. */
  mentions?: readonly string[] | undefined;
  notify?: 'all' | undefined;
  /** The rest of it, in its RFC 8785 form. */
  content?: string | undefined;
}>;

/** An older message, as a command about it finds it: what never changes of it. */
export type Target = Readonly<{ seq: number; by: string; at: string }>;

/** Say something in a conversation. */
export class SendMessage extends Command<
  'SendMessage',
  MessageBody & { conversationId: string; replyTo?: string | undefined }
> {
  readonly type = 'SendMessage';
}

/** An older message that a command is about. */
type About = { conversationId: string; messageId: string; target: Target };

/** Say it otherwise. */
export class EditMessage extends Command<'EditMessage', Omit<MessageBody, 'kind'> & About> {
  readonly type = 'EditMessage';
}
/** Take it back, for everybody. */
export class DeleteMessage extends Command<'DeleteMessage', About> {
  readonly type = 'DeleteMessage';
}

/** A wish about what is said. */
export type MessageCommand = SendMessage | EditMessage | DeleteMessage;
