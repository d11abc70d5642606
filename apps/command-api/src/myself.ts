import { Injectable } from '@nestjs/common';
import { AccountNews, People } from '#commands';
import { reject, type UserView } from '#domain';
import { Views, type Stored } from '#platform';
import type { Answered } from './caller.js';
import { READ_WITHIN_MS } from './inbox.js';

/** A person as their own devices see them. */
@Injectable()
export class Myself {
  constructor(
    private readonly views: Views,
    private readonly people: People,
    private readonly news: AccountNews,
  ) {}

  /** The person as their own latest act left them. */
  async view(userId: string): Promise<Stored<UserView>> {
    const { position } = await this.people.look(userId);
    if (!(await this.views.reached(['users'], position, READ_WITHIN_MS)))
      reject('behind', 'The read models are catching up; try again.');
    const [found] = await this.views.get<UserView>('users', [userId]);
    return found ?? reject('not_found', 'There is no such person.');
  }

  /** An answer to what ends sessions is given once this process refuses them. */
  async ending(command: Promise<Answered>): Promise<Answered> {
    const answer = await command;
    await this.news.reached(Number(answer.position));
    return answer;
  }
}
