import { Body, Controller, Get, Param, Patch, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { COMMANDS, id, Streams } from '#commands';
import { reject, user, type UserView } from '#domain';
import { Views } from '#platform';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness } from './freshness.js';
import { READ_WITHIN_MS } from './inbox.js';

const byId = z.strictObject({ userId: id });
const rename = COMMANDS['user.rename'].input;
const choose = COMMANDS['username.choose'].input;

/** People: oneself and others. */
@ApiTags('people')
@ApiBearerAuth()
@Controller('v1')
export class PeopleController {
  constructor(
    private readonly views: Views,
    private readonly streams: Streams,
    private readonly fresh: Freshness,
  ) {}

  @Get('me')
  @ApiOperation({ summary: 'Who the token speaks for, as their own latest act left them.' })
  async me(@Calling() { who }: Caller) {
    const { position } = await this.streams.look(user, `user-${who.userId}`, 0);
    if (!(await this.views.reached(['users'], position, READ_WITHIN_MS)))
      reject('behind', 'The read models are catching up; try again.');
    const { _id, position: _position, ...view } = await this.#find(who.userId);
    return { userId: _id, deviceId: who.deviceId, ...view };
  }

  @Patch('me')
  @ApiOperation({ summary: 'Change the display name.' })
  rename(@Body({ schema: rename }) body: z.infer<typeof rename>, @Calling() caller: Caller) {
    return caller.command('user.rename', body);
  }

  @Put('me/username')
  @ApiOperation({ summary: 'Choose a username; the former one is free again.' })
  choose(@Body({ schema: choose }) body: z.infer<typeof choose>, @Calling() caller: Caller) {
    return caller.command('username.choose', body);
  }

  @Get('users/:userId')
  @ApiOperation({ summary: 'Name and username of a person.' })
  async one(
    @Param({ schema: byId }) { userId }: z.infer<typeof byId>,
    @Query({ schema: freshness }) { minPosition }: z.infer<typeof freshness>,
  ) {
    await this.fresh.reach(['users'], minPosition);
    const { _id, name, username } = await this.#find(userId);
    return { userId: _id, name, ...(username === undefined ? {} : { username }) };
  }

  async #find(userId: string) {
    const [found] = await this.views.get<UserView>('users', [userId]);
    return found ?? reject('not_found', 'There is no such person.');
  }
}
