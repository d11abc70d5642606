import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Patch,
  Post,
  Put,
  Query,
} from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { COMMANDS, id } from '#commands';
import { OPEN_PRIVACY, type NoticeEntry } from '#domain';
import { QUERIES, Views } from '#platform';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness, limitUpTo, minPosition } from './freshness.js';
import { Myself } from './myself.js';

/** Notices of one page. */
const NOTICES_MAX = 100;

const ofPerson = z.strictObject({ userId: id });
const privacy = COMMANDS['privacy.change'].input;
const preferences = COMMANDS['preferences.change'].input;
const nothing = z.strictObject({});
const listing = z.strictObject({
  limit: limitUpTo(NOTICES_MAX, 50),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  minPosition,
});

/** One's own account: privacy, preferences, whom one blocks, what happened to it, its end. */
@ApiTags('account')
@ApiBearerAuth()
@Controller('v1/me')
export class AccountController {
  constructor(
    private readonly myself: Myself,
    private readonly views: Views,
    private readonly fresh: Freshness,
  ) {}

  @Get('security')
  @ApiOperation({ summary: 'What happened to the account, newest first.' })
  async security(
    @Query({ schema: listing }) query: z.infer<typeof listing>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['security'], query.minPosition);
    const before = query.cursor === undefined ? Number.MAX_SAFE_INTEGER : Number(query.cursor);
    const { view, ...asked } = QUERIES.noticesBefore(who.userId, before, query.limit + 1);
    const found = await this.views.find<NoticeEntry>(view, asked);
    const items = found
      .slice(0, query.limit)
      .map(({ _id, userId: _userId, position, ...notice }) => ({
        v: 1,
        id: _id,
        position: String(position),
        ...notice,
      }));
    const last = items.at(-1);
    return found.length > query.limit && last ? { items, cursor: last.position } : { items };
  }

  @Get('privacy')
  @ApiOperation({ summary: 'Who may see and do what.' })
  async privacy(
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['users'], query.minPosition);
    return { ...OPEN_PRIVACY, ...(await this.myself.view(who.userId)).privacy };
  }

  @Patch('privacy')
  @ApiOperation({ summary: 'Change some of it.' })
  changePrivacy(
    @Body({ schema: privacy }) body: z.infer<typeof privacy>,
    @Calling() caller: Caller,
  ) {
    return caller.command('privacy.change', body);
  }

  @Get('preferences')
  @ApiOperation({ summary: 'Settings that apps keep for the person.' })
  async preferences(
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['users'], query.minPosition);
    return (await this.myself.view(who.userId)).preferences;
  }

  @Patch('preferences')
  @ApiOperation({ summary: 'Change some of them; null takes one away.' })
  changePreferences(
    @Body({ schema: preferences }) body: z.infer<typeof preferences>,
    @Calling() caller: Caller,
  ) {
    return caller.command('preferences.change', body);
  }

  @Get('blocks')
  @ApiOperation({ summary: 'Whom one blocks.' })
  async blocks(
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['users'], query.minPosition);
    return { items: (await this.myself.view(who.userId)).blocked };
  }

  @Put('blocks/:userId')
  @ApiOperation({ summary: 'Block somebody.' })
  block(@Param({ schema: ofPerson }) params: z.infer<typeof ofPerson>, @Calling() caller: Caller) {
    return caller.command('person.block', params);
  }

  @Delete('blocks/:userId')
  @ApiOperation({ summary: 'Block them no longer.' })
  unblock(
    @Param({ schema: ofPerson }) params: z.infer<typeof ofPerson>,
    @Calling() caller: Caller,
  ) {
    return caller.command('person.unblock', params);
  }

  @Post('deactivate')
  @HttpCode(200)
  @ApiOperation({ summary: 'Go out of sight until the next login; all sessions end.' })
  deactivate(@Body({ schema: nothing }) _: z.infer<typeof nothing>, @Calling() caller: Caller) {
    return this.myself.ending(caller.command('account.deactivate', {}));
  }

  @Delete()
  @ApiOperation({ summary: 'Have the account deleted after a time of grace; all sessions end.' })
  deleteAccount(@Calling() caller: Caller) {
    return this.myself.ending(caller.command('account.delete', {}));
  }
}
