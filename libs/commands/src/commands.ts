import { conversationCommands, conversationHandlers } from './conversation-commands.js';
import { groupCommands, groupHandlers } from './group-commands.js';
import { joiningCommands, joiningHandlers } from './joining-commands.js';
import { messageCommands, messageHandlers } from './message-commands.js';
import { ownCommands, ownHandlers } from './own-commands.js';
import { scheduleCommands, scheduleHandlers } from './schedule-commands.js';
import { readingCommands, readingHandlers } from './reading-commands.js';
import { peopleCommands, peopleHandlers } from './people-commands.js';

/** Every command that a door takes, by its dotted name. */
export const COMMANDS = {
  ...conversationCommands,
  ...groupCommands,
  ...joiningCommands,
  ...messageCommands,
  ...peopleCommands,
  ...ownCommands,
  ...readingCommands,
  ...scheduleCommands,
} as const;

/** The dotted name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** One handler for each command, for Nest to provide; @nestjs/cqrs finds them by the class. */
export const commandHandlers = [
  ...conversationHandlers,
  ...groupHandlers,
  ...joiningHandlers,
  ...messageHandlers,
  ...peopleHandlers,
  ...ownHandlers,
  ...readingHandlers,
  ...scheduleHandlers,
];
