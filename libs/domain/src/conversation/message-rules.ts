import { stampOf } from '../decider.js';
import { reject } from '../rejection.js';
import type { Conversation } from './evolve.js';
import type {
  DeleteMessage,
  EditMessage,
  MessageBody,
  MessageCommand,
  SendMessage,
  Target,
} from './message-commands.js';
import { roleOf, type Rule, type Rules } from './rules.js';

/** How long a message can be edited: a slip is seen at once. */
export const EDIT_WINDOW_MS = 24 * 60 * 60 * 1_000;
/** How long its author can take a message back for all; admins always can. */
export const DELETE_WINDOW_MS = 48 * 60 * 60 * 1_000;

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

const send: Rule<SendMessage> = ({ data, meta }, state) => {
  roleOf(state, meta.actor);
  mustMeanMembers(state, data);
  const { conversationId, replyTo } = data;
  return [
    {
      type: 'MessageSent',
      data: {
        ...stampOf(meta),
        conversationId,
        messageId: meta.eventId,
        number: state.number + 1,
        ...bodyOf(data),
        ...(replyTo === undefined ? {} : { replyTo }),
      },
    },
  ];
};

const edit: Rule<EditMessage> = ({ data, meta }, state) => {
  roleOf(state, meta.actor);
  const { conversationId, messageId, target } = data;
  if (target.by !== meta.actor) reject('forbidden', 'Only its author edits a message.');
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
  const isAdmin = state.kind !== 'direct' && role !== 'member';
  if (target.by !== meta.actor && !isAdmin)
    reject('forbidden', 'Only its author and admins delete a message for all.');
  if (state.deleted.has(messageId)) return [];
  if (!isAdmin) mustBeWithin(DELETE_WINDOW_MS, target.at, meta.at);
  const about = { conversationId, messageId, messageSeq: target.seq };
  return [{ type: 'MessageDeleted', data: { ...stampOf(meta), ...about } }];
};

/** What is said in a conversation. */
export const messageRules: Rules<MessageCommand['type']> = {
  SendMessage: send,
  EditMessage: edit,
  DeleteMessage: remove,
};
