import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id, rescheduling, scheduling } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Keeping } from './keeping.js';

/** Items of one page. */
const PAGE_MAX = 200;

const inside = z.strictObject({ conversationId: id });
const one = z.strictObject({ scheduleId: id });
const listing = z.strictObject({
  limit: limitUpTo(PAGE_MAX, 100),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  minPosition,
});

/** Messages that are to be said later. */
@ApiTags('own')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1')
export class ScheduledController {
  constructor(
    private readonly keeping: Keeping,
    private readonly fresh: Freshness,
  ) {}

  @Post('conversations/:conversationId/scheduled')
  @ApiOperation({ summary: 'Say a message at a time to come, a year ahead at most.' })
  schedule(
    @Param({ schema: inside }) params: z.infer<typeof inside>,
    @Body({ schema: scheduling }) body: z.infer<typeof scheduling>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.schedule', { ...params, ...body }, 201);
  }

  @Get('me/scheduled')
  @ApiOperation({ summary: 'Messages that wait for their time or were refused, newest first.' })
  async scheduled(
    @Query({ schema: listing }) query: z.infer<typeof listing>,
    @Calling() { who }: Caller,
  ) {
    const { limit, cursor, minPosition: position } = query;
    await this.fresh.reach(['scheduled'], position);
    const before = cursor === undefined ? undefined : Number(cursor);
    return this.keeping.scheduled(who.userId, limit, before);
  }

  @Patch('me/scheduled/:scheduleId')
  @ApiOperation({
    summary: 'Say it at another time, or otherwise; also to try a refused one again.',
  })
  reschedule(
    @Param({ schema: one }) params: z.infer<typeof one>,
    @Body({ schema: rescheduling }) body: z.infer<typeof rescheduling>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.reschedule', { ...params, ...body });
  }

  @Delete('me/scheduled/:scheduleId')
  @ApiOperation({ summary: 'Do not say it.' })
  unschedule(@Param({ schema: one }) params: z.infer<typeof one>, @Calling() caller: Caller) {
    return caller.command('message.unschedule', params);
  }
}
