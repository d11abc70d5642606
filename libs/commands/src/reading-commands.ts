import { z } from 'zod';
import {
  FollowThread,
  HideMessage,
  own,
  ReadThread,
  reject,
  UnfollowThread,
  UnhideMessage,
  type CommandMeta,
} from '#domain';
import type { Beforehand, CommandEntry, Draft, Making } from './entries.js';
import { handled } from './handled.js';
import { id, seq } from './inputs.js';

const named = z.strictObject({ conversationId: id, messageId: id });
type Named = z.infer<typeof named>;
const reading = named.extend({ seq });
type Reading = z.infer<typeof reading>;

const streamOfOwn = (_data: object, { actor }: Draft) => `own-${actor}`;

type Own<D> = D & Readonly<{ userId: string }>;

/** About a message that the actor may read. */
const aboutRead = (Made: Making<Own<Named>>) => ({
  input: named,
  beforehand: async (data: Named, { actor }: Draft, ask: Beforehand) => {
    await ask.message(actor, data);
    return data;
  },
  streamOf: streamOfOwn,
  toCommand: (data: Named, meta: CommandMeta) => new Made({ ...data, userId: meta.actor }, meta),
});

/** A thread hangs on a message that the actor may read, and that is in no thread itself. */
const mustBeThread = async (data: Named, actor: string, ask: Beforehand): Promise<void> => {
  const { thread } = await ask.message(actor, data);
  if (thread !== undefined) reject('invalid', 'Name the message on which the thread hangs.');
};

/** About a thread. */
const aboutThread = (Made: Making<Own<Named>>) => ({
  ...aboutRead(Made),
  beforehand: async (data: Named, { actor }: Draft, ask: Beforehand) => {
    await mustBeThread(data, actor, ask);
    return data;
  },
});

/** How one reads what others said: deleted for oneself, followed, read. */
export const readingCommands = {
  'message.hide': aboutRead(HideMessage),
  'message.unhide': aboutRead(UnhideMessage),
  'thread.follow': aboutThread(FollowThread),
  'thread.unfollow': aboutThread(UnfollowThread),
  'thread.read': {
    input: reading,
    beforehand: async (data: Reading, { actor }: Draft, ask: Beforehand) => {
      await mustBeThread(data, actor, ask);
      return { ...data, head: await ask.head(data.conversationId) };
    },
    streamOf: streamOfOwn,
    toCommand: (data: Reading & Readonly<{ head: number }>, meta: CommandMeta) =>
      new ReadThread({ ...data, userId: meta.actor }, meta),
  },
} as const satisfies Readonly<Record<string, CommandEntry>>;

/** Their handlers, for Nest to provide. */
export const readingHandlers = [
  handled(HideMessage, own),
  handled(UnhideMessage, own),
  handled(FollowThread, own),
  handled(UnfollowThread, own),
  handled(ReadThread, own),
];
