import type { Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { ConversationCommand } from './commands.js';
import type { ConversationEvent } from './events.js';
import { evolve, initial, snapshots, type Conversation } from './evolve.js';
import { groupRules } from './group-rules.js';
import { joiningRules } from './joining-rules.js';
import { messageRules } from './message-rules.js';
import { roleRules } from './role-rules.js';
import type { Rule, Rules } from './rules.js';

const RULES: Rules = { ...groupRules, ...roleRules, ...joiningRules, ...messageRules };

const decide = (
  command: ConversationCommand,
  state: Conversation,
): readonly ConversationEvent[] => {
  const isFound = command.type === 'StartConversation' && state.kind !== undefined;
  if (command.meta.unwelcome && !isFound) reject('forbidden', 'This person cannot be written to.');
  // The table has each type's own rule under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return (RULES[command.type] as Rule<ConversationCommand>)(command, state);
};

/** The consistency boundary of one conversation: its members and messages in one total order. */
export const conversation: Decider<Conversation, ConversationCommand, ConversationEvent> = {
  name: 'conversation',
  streamOf: (command) => `conversation-${command.data.conversationId}`,
  initial,
  decide,
  evolve,
  outboxes: (state) => state.outboxes,
  snapshots,
  linked: true,
};
