import { z } from 'zod';
import {
  conversation,
  DeleteMessage,
  EditMessage,
  SendMessage,
  type CommandMeta,
  type Target,
} from '#domain';
import { streamOfConversation, type Beforehand, type CommandEntry, type Draft } from './entries.js';
import { handled } from './handled.js';
import { id } from './inputs.js';
import { bodyOf, messageParts, mustFit, mustFitEdit } from './message-inputs.js';

/** What a message is made of, and which it answers. */
export const sending = messageParts.extend({ replyTo: id.optional() });
const sendingIn = sending.extend({ conversationId: id }).superRefine(mustFit);
type Sending = z.infer<typeof sendingIn>;

/** What a message is to say from now on; its kind stays. */
export const editing = messageParts.omit({ kind: true });
const editingIn = editing.extend({ conversationId: id, messageId: id }).superRefine(mustFitEdit);
type Editing = z.infer<typeof editingIn>;

const named = z.strictObject({ conversationId: id, messageId: id });
type NamedMessage = z.infer<typeof named>;
type Found<Data> = Data & Readonly<{ target: Target }>;

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
  'message.edit': {
    input: editingIn,
    beforehand: async (data: Editing, { actor }: Draft, ask: Beforehand) => ({
      ...data,
      target: await ask.message(actor, data),
    }),
    streamOf: streamOfConversation,
    toCommand: (
      { conversationId, messageId, target, ...parts }: Found<Editing>,
      meta: CommandMeta,
    ) => new EditMessage({ conversationId, messageId, target, ...bodyOf(parts) }, meta),
  },
  'message.delete': {
    input: named,
    beforehand: async (data: NamedMessage, { actor }: Draft, ask: Beforehand) => ({
      ...data,
      target: await ask.message(actor, data),
    }),
    streamOf: streamOfConversation,
    toCommand: (data: Found<NamedMessage>, meta: CommandMeta) => new DeleteMessage(data, meta),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const messageHandlers = [
  handled(SendMessage, conversation),
  handled(EditMessage, conversation),
  handled(DeleteMessage, conversation),
];
