import { stampOf } from '../decider.js';
import { reject } from '../rejection.js';
import type { Conversation } from './evolve.js';
import type { MessageBody, SendMessage } from './message-commands.js';
import { roleOf, type Rule, type Rules } from './rules.js';

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

/** What is said in a conversation. */
export const messageRules: Rules<'SendMessage'> = {
  SendMessage: send,
};
