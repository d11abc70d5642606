import { z } from 'zod';
import { conversation, SendMessage, type CommandMeta } from '#domain';
import { streamOfConversation, type Beforehand, type CommandEntry, type Draft } from './entries.js';
import { handled } from './handled.js';
import { id } from './inputs.js';
import { bodyOf, messageParts, mustFit } from './message-inputs.js';

/** What a message is made of, and which it answers. */
export const sending = messageParts.extend({ replyTo: id.optional() });
const sendingIn = sending.extend({ conversationId: id }).superRefine(mustFit);
type Sending = z.infer<typeof sendingIn>;

/** What is said in a conversation. */
export const messageCommands = {
  'message.send': {
    input: sendingIn,
    beforehand: async (data: Sending, { actor }: Draft, ask: Beforehand) => {
      const { conversationId, replyTo } = data;
      if (replyTo !== undefined) await ask.message(actor, { conversationId, messageId: replyTo });
      return data;
    },
    streamOf: streamOfConversation,
    toCommand: ({ conversationId, replyTo, ...parts }: Sending, meta: CommandMeta) =>
      new SendMessage({ conversationId, replyTo, ...bodyOf(parts) }, meta),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const messageHandlers = [handled(SendMessage, conversation)];
