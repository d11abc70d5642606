import { z } from 'zod';
import {
  conversation,
  DeleteMessage,
  EditMessage,
  ForwardMessage,
  PinMessage,
  PRIORITIES,
  SendMessage,
  UnpinMessage,
  reject,
  type CommandMeta,
  type Original,
  type Target,
  type Thread,
} from '#domain';
import {
  streamOfConversation,
  type Beforehand,
  type CommandEntry,
  type Draft,
  type Making,
} from './entries.js';
import { handled } from './handled.js';
import { id } from './inputs.js';
import { bodyOf, messageParts, mustFit, mustFitEdit, mustFitKind } from './message-inputs.js';

/** What a message is made of, which it answers, the thread it is said in, how urgent it is. */
export const sending = messageParts.extend({
  replyTo: id.optional(),
  thread: id.optional(),
  priority: z.enum([...PRIORITIES, 'normal']).optional(),
});
const sendingIn = sending.extend({ conversationId: id }).superRefine(mustFit);
type Sending = z.infer<typeof sendingIn>;

/** What a message is to say from now on; its kind stays. */
export const editing = messageParts.omit({ kind: true });
const editingIn = editing.extend({ conversationId: id, messageId: id }).superRefine(mustFitEdit);
type Editing = z.infer<typeof editingIn>;

const named = z.strictObject({ conversationId: id, messageId: id });
type NamedMessage = z.infer<typeof named>;
type Found<Data> = Data & Readonly<{ target: Target }>;

/** A message that is to be said elsewhere too. */
export const forwarding = z.strictObject({ from: named });
const forwardingTo = forwarding.extend({ conversationId: id });
type Forwarding = z.infer<typeof forwardingTo>;

/** Who began a thread; it hangs on a message that is in none itself. */
const threadOf = async (
  { conversationId, thread: messageId }: Sending,
  actor: string,
  ask: Beforehand,
): Promise<Thread | undefined> => {
  if (messageId === undefined) return undefined;
  const { by, thread } = await ask.message(actor, { conversationId, messageId });
  if (thread !== undefined)
    reject('invalid', 'A thread hangs on a message that is in none itself.', { thread });
  return { messageId, by };
};

/** About an older message, which is looked up first. */
const aboutMessage = (Made: Making<Found<NamedMessage>>) => ({
  input: named,
  beforehand: async (data: NamedMessage, { actor }: Draft, ask: Beforehand) => ({
    ...data,
    target: await ask.message(actor, data),
  }),
  streamOf: streamOfConversation,
  toCommand: (data: Found<NamedMessage>, meta: CommandMeta) => new Made(data, meta),
});

/** What is said in a conversation. */
export const messageCommands = {
  'message.send': {
    input: sendingIn,
    beforehand: async (data: Sending, { actor }: Draft, ask: Beforehand) => {
      const { conversationId, replyTo } = data;
      if (replyTo !== undefined) await ask.message(actor, { conversationId, messageId: replyTo });
      return { ...data, thread: await threadOf(data, actor, ask) };
    },
    streamOf: streamOfConversation,
    toCommand: (
      {
        conversationId,
        replyTo,
        thread,
        priority,
        ...parts
      }: Omit<Sending, 'thread'> & Readonly<{ thread: Thread | undefined }>,
      meta: CommandMeta,
    ) => {
      const urgency = priority === 'normal' ? undefined : priority;
      const about = { conversationId, replyTo, thread, priority: urgency };
      return new SendMessage({ ...about, ...bodyOf(parts) }, meta);
    },
  },
  'message.forward': {
    input: forwardingTo,
    beforehand: async (
      { conversationId, from }: Forwarding,
      { actor }: Draft,
      ask: Beforehand,
    ) => ({
      conversationId,
      original: await ask.original(actor, from),
    }),
    streamOf: streamOfConversation,
    toCommand: (
      data: Readonly<{ conversationId: string; original: Original | undefined }>,
      meta: CommandMeta,
    ) => new ForwardMessage(data, meta),
  },
  'message.edit': {
    input: editingIn,
    beforehand: async (data: Editing, { actor }: Draft, ask: Beforehand) => {
      const target = await ask.message(actor, data);
      mustFitKind(data, target.kind);
      return { ...data, target };
    },
    streamOf: streamOfConversation,
    toCommand: (
      { conversationId, messageId, target, ...parts }: Found<Editing>,
      meta: CommandMeta,
    ) => new EditMessage({ conversationId, messageId, target, ...bodyOf(parts) }, meta),
  },
  'message.delete': aboutMessage(DeleteMessage),
  'message.pin': aboutMessage(PinMessage),
  'message.unpin': aboutMessage(UnpinMessage),
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const messageHandlers = [
  handled(SendMessage, conversation),
  handled(ForwardMessage, conversation),
  handled(EditMessage, conversation),
  handled(DeleteMessage, conversation),
  handled(PinMessage, conversation),
  handled(UnpinMessage, conversation),
];
