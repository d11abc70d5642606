import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Overview } from './overview.js';

/** Conversations, facts and members of one answer: some 500 KiB before compression. */
const CONVERSATIONS_MAX = 50;
const FACTS_MAX = 100;
const MEMBERS_MAX = 200;

const asking = z.strictObject({
  open: id.optional(),
  limit: limitUpTo(CONVERSATIONS_MAX, 20),
  facts: limitUpTo(FACTS_MAX, 30),
  members: limitUpTo(MEMBERS_MAX, 50),
  cursor: z
    .string()
    .regex(/^\d\.\d{1,15}$/)
    .optional(),
  minPosition,
});

/** What a new device, or one that was away for long, shows first. */
@ApiTags('conversations')
@ApiBearerAuth()
@Controller('v1/overview')
export class OverviewController {
  constructor(
    private readonly overview: Overview,
    private readonly fresh: Freshness,
  ) {}

  @Get()
  @ApiOperation({
    summary: 'Lists, members and recent history in one pass: open, then unread, then by activity.',
  })
  async page(@Query({ schema: asking }) query: z.infer<typeof asking>, @Calling() { who }: Caller) {
    const views = ['history', 'members', 'conversations', 'receipts', 'arrangements'] as const;
    await this.fresh.reach(views, query.minPosition);
    return this.overview.page(who.userId, query);
  }
}
