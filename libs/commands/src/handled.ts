import { Injectable, type Type } from '@nestjs/common';
import { CommandHandler } from '@nestjs/cqrs';
import type { Command, Decider, ScriptaEvent } from '#domain';
import type { Accepted, AnyDecider } from './held.js';
import { Streams } from './streams.js';

/** What Nest makes of a command's class. */
export type Handler<C extends Command> = Type<{ execute(command: C): Promise<Accepted> }>;

/** The base of every command handler: load, decide, append, all done by `Streams`. */
export const Decides = <S extends object, C extends Command, E extends ScriptaEvent>(
  decider: Decider<S, C, E>,
): Handler<C> => {
  // The engine hands a decider only its own states, commands and events.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  const known = decider as unknown as AnyDecider;
  @Injectable()
  class DecidesHandler {
    constructor(private readonly streams: Streams) {}

    execute(command: C): Promise<Accepted> {
      return this.streams.execute(known, command);
    }
  }
  return DecidesHandler;
};

/** The handler of one command: the class that @nestjs/cqrs finds by the command's constructor. */
export const handled = <S extends object, C extends Command, E extends ScriptaEvent>(
  command: Type<C>,
  decider: Decider<S, C, E>,
): Handler<C> => {
  @CommandHandler(command)
  class CommandsHandler extends Decides(decider) {}
  return CommandsHandler;
};
