import { Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { user, type User, type UserCommand } from '#domain';
import type { Accepted } from './held.js';
import { Streams, type LookedAt } from './streams.js';

/** People's own streams: what they say of a person, and commands about them. */
@Injectable()
export class People {
  constructor(
    private readonly streams: Streams,
    private readonly bus: CommandBus,
  ) {}

  /** A person as this process last saw them. Read it before the next await. */
  async look(userId: string): Promise<LookedAt<User>> {
    return this.streams.look(user, `user-${userId}`, 0);
  }

  /** A person as the log has them now. Read it before the next await. */
  async latest(userId: string): Promise<LookedAt<User>> {
    return this.streams.look(user, `user-${userId}`, Number.MAX_SAFE_INTEGER);
  }

  /** Carries a command about a person out. */
  run(command: UserCommand): Promise<Accepted> {
    return this.bus.execute<UserCommand, Accepted>(command);
  }
}
