import { Command } from '../decider.js';
import type { MessageKind, Priority } from './message-events.js';

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
export type Target = Readonly<{
  seq: number;
  by: string;
  at: string;
  kind: MessageKind;
  /** Whose words they are, where they were passed on. */
  author?: string;
  /** The message that the thread hangs on, where it is said in one. */
  thread?: string;
}>;

/** The thread that a message is said in. */
export type Thread = Readonly<{ messageId: string; by: string }>;

/** What is passed on: how the message stood, whose it is, and how often that was done before. */
export type Original = Readonly<
  Pick<MessageBody, 'text' | 'kind' | 'content'> & { author: string; forwards: number }
>;

/** Say something in a conversation. */
export class SendMessage extends Command<
  'SendMessage',
  MessageBody & {
    conversationId: string;
    replyTo?: string | undefined;
    thread?: Thread | undefined;
    priority?: Priority | undefined;
  }
> {
  readonly type = 'SendMessage';
}

/** Pass on what was said elsewhere; without `original` it is no longer there. */
export class ForwardMessage extends Command<
  'ForwardMessage',
  { conversationId: string; original: Original | undefined }
> {
  readonly type = 'ForwardMessage';
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

/** Show it at the top for everybody. */
export class PinMessage extends Command<'PinMessage', About> {
  readonly type = 'PinMessage';
}
/** Show it there no longer. */
export class UnpinMessage extends Command<'UnpinMessage', About> {
  readonly type = 'UnpinMessage';
}

/** A wish about what is said. */
export type MessageCommand =
  SendMessage | ForwardMessage | EditMessage | DeleteMessage | PinMessage | UnpinMessage;
