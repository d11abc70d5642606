import { stampOf, type CommandMeta } from '../decider.js';
import { reject } from '../rejection.js';
import type { Conversation } from './evolve.js';
import type {
  DeleteMessage,
  EditMessage,
  ForwardMessage,
  MessageBody,
  MessageCommand,
  PinMessage,
  SendMessage,
  Target,
  UnpinMessage,
} from './message-commands.js';
import { mustKeepPace } from './pace.js';
import { mayDo, mustBeAllowed } from './permissions.js';
import { roleOf, type Rule, type Rules } from './rules.js';

/** How long a message can be edited: a slip is seen at once. */
export const EDIT_WINDOW_MS = 24 * 60 * 60 * 1_000;
/** How long its author can take a message back for all; admins always can. */
export const DELETE_WINDOW_MS = 48 * 60 * 60 * 1_000;

/** Messages that one conversation pins at most: more is no top of anything. */
export const PINS_MAX = 50;

const mustBeWithin = (windowMs: number, since: string, at: string): void => {
  if (Date.parse(at) - Date.parse(since) > windowMs)
    reject('too_late', 'The time in which a message can be changed is over.');
};

/** What was forgotten is below a place, so that everything there is taken to be deleted. */
const isDeleted = ({ deleted, forgotten }: Conversation, messageId: string, { seq }: Target) =>
  deleted.has(messageId) || seq <= forgotten;

/** Only members can be meant, and in a direct conversation `@all` means nothing. */
const mustMeanMembers = (state: Conversation, { mentions = [], notify }: MessageBody): void => {
  const strangers = mentions.filter((userId) => !state.members.has(userId));
  if (strangers.length > 0)
    reject('invalid', 'A mention names a member of the conversation.', { users: strangers });
  if (notify && state.kind === 'direct')
    reject('invalid', 'In a direct conversation @all means nothing.');
};

/** The parts of a message that are there. */
const bodyOf = ({ text, kind, mentions, notify, content }: MessageBody) => ({
  text,
  ...(kind === undefined || kind === 'text' ? {} : { kind }),
  ...(mentions === undefined || mentions.length === 0 ? {} : { mentions }),
  ...(notify === undefined ? {} : { notify }),
  ...(content === undefined ? {} : { content }),
});

/** Whether a member may say this, now. */
const mustBeAllowedToSay = (
  state: Conversation,
  { kind = 'text', notify }: Pick<MessageBody, 'kind' | 'notify'>,
  { actor, at }: CommandMeta,
): void => {
  mustBeAllowed(state, actor, 'send');
  if (kind !== 'text') mustBeAllowed(state, actor, 'media');
  if (notify && state.kind !== 'direct') mustBeAllowed(state, actor, 'mention_all');
  mustKeepPace(state, actor, at);
};

const send: Rule<SendMessage> = ({ data, meta }, state) => {
  mustBeAllowedToSay(state, data, meta);
  mustMeanMembers(state, data);
  const { conversationId, replyTo, thread, priority } = data;
  return [
    {
      type: 'MessageSent',
      data: {
        ...stampOf(meta),
        conversationId,
        messageId: meta.eventId,
        // Whoever does not follow the thread has nothing new to read.
        number: thread ? state.number : state.number + 1,
        ...bodyOf(data),
        ...(replyTo === undefined ? {} : { replyTo }),
        ...(thread === undefined ? {} : { thread: thread.messageId, threadBy: thread.by }),
        ...(priority === undefined ? {} : { priority }),
      },
    },
  ];
};

const forward: Rule<ForwardMessage> = ({ data, meta }, state) => {
  roleOf(state, meta.actor);
  const { conversationId, original = reject('not_found', 'There is no such message.') } = data;
  mustBeAllowedToSay(state, { kind: original.kind }, meta);
  const { author, forwards } = original;
  const place = { conversationId, messageId: meta.eventId, number: state.number + 1 };
  const passedOn = { ...bodyOf(original), author, forwards: forwards + 1 };
  return [{ type: 'MessageSent', data: { ...stampOf(meta), ...place, ...passedOn } }];
};

const edit: Rule<EditMessage> = ({ data, meta }, state) => {
  roleOf(state, meta.actor);
  const { conversationId, messageId, target } = data;
  if (data.notify && state.kind !== 'direct') mustBeAllowed(state, meta.actor, 'mention_all');
  if (target.by !== meta.actor || (target.author ?? target.by) !== meta.actor)
    reject('forbidden', 'Only its author edits a message.');
  if (isDeleted(state, messageId, target)) reject('too_late', 'The message was deleted.');
  mustBeWithin(EDIT_WINDOW_MS, target.at, meta.at);
  mustMeanMembers(state, data);
  const { kind: _kind, ...body } = bodyOf(data);
  const about = { conversationId, messageId, messageSeq: target.seq };
  return [{ type: 'MessageEdited', data: { ...stampOf(meta), ...about, ...body } }];
};

const remove: Rule<DeleteMessage> = ({ data, meta }, state) => {
  const role = roleOf(state, meta.actor);
  const { conversationId, messageId, target } = data;
  const isAdmin = mayDo(state, role, 'delete_others');
  if (target.by !== meta.actor && !isAdmin)
    reject('forbidden', 'Only its author and those who look after the group delete it for all.');
  if (state.deleted.has(messageId)) return [];
  if (!isAdmin) mustBeWithin(DELETE_WINDOW_MS, target.at, meta.at);
  const about = { conversationId, messageId, messageSeq: target.seq };
  return [{ type: 'MessageDeleted', data: { ...stampOf(meta), ...about } }];
};

const pin: Rule<PinMessage> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'pin');
  const { conversationId, messageId, target } = data;
  if (isDeleted(state, messageId, target)) reject('not_found', 'There is no such message.');
  if (state.pins.has(messageId)) return [];
  if (state.pins.size >= PINS_MAX)
    reject('too_large', `At most ${PINS_MAX} messages are pinned; unpin one first.`);
  const about = { conversationId, messageId, messageSeq: target.seq };
  return [{ type: 'MessagePinned', data: { ...stampOf(meta), ...about } }];
};

const unpin: Rule<UnpinMessage> = ({ data, meta }, state) => {
  mustBeAllowed(state, meta.actor, 'pin');
  const { conversationId, messageId, target } = data;
  if (!state.pins.has(messageId)) return [];
  const about = { conversationId, messageId, messageSeq: target.seq };
  return [{ type: 'MessageUnpinned', data: { ...stampOf(meta), ...about } }];
};

/** What is said in a conversation. */
export const messageRules: Rules<MessageCommand['type']> = {
  SendMessage: send,
  ForwardMessage: forward,
  EditMessage: edit,
  DeleteMessage: remove,
  PinMessage: pin,
  UnpinMessage: unpin,
};
