import { Body, Controller, Get, Param, Patch, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { COMMANDS, id, name, profile } from '#commands';
import { reject, type UserView } from '#domain';
import { Views, type Stored } from '#platform';
import { Calling, type Answered, type Caller } from './caller.js';
import { Freshness, freshness } from './freshness.js';
import { Myself } from './myself.js';

const byId = z.strictObject({ userId: id });
const change = z.strictObject({ name: name.optional(), ...profile.shape });
const choose = COMMANDS['username.choose'].input;

/** People: oneself and others. */
@ApiTags('people')
@ApiBearerAuth()
@Controller('v1')
export class PeopleController {
  constructor(
    private readonly views: Views,
    private readonly myself: Myself,
    private readonly fresh: Freshness,
  ) {}

  @Get('me')
  @ApiOperation({ summary: 'Who the token speaks for, as their own latest act left them.' })
  async me(@Calling() { who }: Caller) {
    const { _id, position, ...view } = await this.myself.view(who.userId);
    return { userId: _id, deviceId: who.deviceId, ...view, position: String(position) };
  }

  @Patch('me')
  @ApiOperation({ summary: 'Change the display name, about or avatar.' })
  async change(@Body({ schema: change }) body: z.infer<typeof change>, @Calling() caller: Caller) {
    const { name: shown, ...others } = body;
    let answer: Answered | undefined;
    if (Object.keys(others).length > 0) answer = await caller.command('profile.change', others);
    if (shown !== undefined) answer = await caller.command('user.rename', { name: shown });
    return answer ?? reject('bad_request', 'Name what is to change.');
  }

  @Put('me/username')
  @ApiOperation({ summary: 'Choose a username; the former one is free again.' })
  choose(@Body({ schema: choose }) body: z.infer<typeof choose>, @Calling() caller: Caller) {
    return caller.command('username.choose', body);
  }

  @Get('users/:userId')
  @ApiOperation({ summary: 'A person, as far as they let others see.' })
  async one(
    @Param({ schema: byId }) { userId }: z.infer<typeof byId>,
    @Query({ schema: freshness }) { minPosition }: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['users'], minPosition);
    return shownTo(who.userId, await this.#find(userId));
  }

  async #find(userId: string) {
    const [found] = await this.views.get<UserView>('users', [userId]);
    return found ?? reject('not_found', 'There is no such person.');
  }
}

/** What of a person another may see: who was blocked sees only the name. */
const shownTo = (asking: string, person: Stored<UserView>) => {
  const { _id: userId, name: shown, username, about, avatar, status } = person;
  if (status === 'deleted') return reject('not_found', 'There is no such person.');
  const isOpen = (what: 'about' | 'avatar'): boolean =>
    asking === userId || (person.privacy[what] !== 'nobody' && !person.blocked.includes(asking));
  return {
    userId,
    name: shown,
    ...(username === undefined ? {} : { username }),
    ...(about !== undefined && isOpen('about') ? { about } : {}),
    ...(avatar !== undefined && isOpen('avatar') ? { avatar } : {}),
    ...(status === 'deactivated' ? { deactivated: true } : {}),
  };
};
