import { stampOf, type Decider } from '../decider.js';
import { reject } from '../rejection.js';
import type { ArrangeConversation, OwnCommand } from './commands.js';
import type { OwnEvent } from './events.js';
import { evolve, initial, objectOf, snapshots, type Own } from './evolve.js';
import type { ReadingCommand } from './reading-commands.js';
import { readingRules } from './reading-rules.js';
import type { ScheduleCommand } from './schedule-commands.js';
import { scheduleRules } from './schedule-rules.js';

/** Conversations one person pins at most: a list's top that still fits a screen or two. */
export const PINNED_MAX = 50;
/** Messages one person saves at most. */
export const SAVED_MAX = 10_000;
/** Settings that are kept for one person about one conversation. */
export const CONVERSATION_SETTINGS_MAX = 64;

const mayArrange = ({ data }: ArrangeConversation, state: Own): void => {
  const { conversationId, pinned, settings } = data;
  const isNewPin = pinned === 'yes' && !state.pinned.has(conversationId);
  if (isNewPin && state.pinned.size >= PINNED_MAX)
    reject('too_large', `At most ${PINNED_MAX} conversations are pinned; unpin one first.`);
  const kept = state.settings.get(conversationId) ?? [];
  const added = Object.entries(objectOf(settings ?? '')).flatMap(([name, value]) =>
    value === null ? [] : [name],
  );
  if (new Set([...kept, ...added]).size > CONVERSATION_SETTINGS_MAX)
    reject('too_large', `At most ${CONVERSATION_SETTINGS_MAX} settings of one conversation.`);
};

const RULES = { ...scheduleRules, ...readingRules };

type Ruled = ScheduleCommand | ReadingCommand;

const isRuled = (command: OwnCommand): command is Ruled => command.type in RULES;

const decide = (command: OwnCommand, state: Own): OwnEvent[] => {
  if (!isRuled(command)) return decideList(command, state);
  // The table has each type's own rule under its name.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const rule = RULES[command.type] as (wish: Ruled, before: Own) => OwnEvent[];
  return rule(command, state);
};

const decideList = (command: Exclude<OwnCommand, Ruled>, state: Own): OwnEvent[] => {
  const by = stampOf(command.meta);
  switch (command.type) {
    case 'ArrangeConversation': {
      mayArrange(command, state);
      const { userId, conversationId, ...wanted } = command.data;
      const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
      const data = { ...by, userId, conversationId, ...Object.fromEntries(given) };
      return given.length === 0 ? [] : [{ type: 'ConversationArranged', data }];
    }
    case 'SaveMessage': {
      const { note, ...which } = command.data;
      if (!state.saved.has(which.messageId) && state.saved.size >= SAVED_MAX)
        reject('too_large', `At most ${SAVED_MAX} messages are saved; take some out first.`);
      if (state.saved.has(which.messageId) && note === undefined) return [];
      const data = { ...by, ...which, ...(note === undefined ? {} : { note }) };
      return [{ type: 'MessageSaved', data }];
    }
    case 'UnsaveMessage':
      if (!state.saved.has(command.data.messageId)) return [];
      return [{ type: 'MessageUnsaved', data: { ...by, ...command.data } }];
  }
};

/** The consistency boundary of what one person keeps for themselves. */
export const own: Decider<Own, OwnCommand, OwnEvent> = {
  name: 'own',
  streamOf: ({ data }) => `own-${data.userId}`,
  initial,
  decide,
  evolve,
  snapshots,
};
