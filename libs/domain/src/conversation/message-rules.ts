import { stampOf } from '../decider.js';
import type { SendMessage } from './commands.js';
import { roleOf, type Rule, type Rules } from './rules.js';

const send: Rule<SendMessage> = ({ data, meta }, state) => {
  roleOf(state, meta.actor);
  const { conversationId, text } = data;
  return [
    {
      type: 'MessageSent',
      data: {
        ...stampOf(meta),
        conversationId,
        messageId: meta.eventId,
        number: state.number + 1,
        text,
      },
    },
  ];
};

/** What is said in a conversation. */
export const messageRules: Rules<'SendMessage'> = {
  SendMessage: send,
};
