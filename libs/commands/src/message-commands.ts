import { z } from 'zod';
import { conversation, SendMessage } from '#domain';
import { inConversation, type CommandEntry } from './entries.js';
import { handled } from './handled.js';
import { id, text } from './inputs.js';

/** What is said in a conversation. */
export const messageCommands = {
  'message.send': inConversation(z.strictObject({ conversationId: id, text }), SendMessage),
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const messageHandlers = [handled(SendMessage, conversation)];
