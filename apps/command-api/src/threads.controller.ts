import { Body, Controller, Delete, Get, HttpCode, Param, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id, seq } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Threads } from './threads.js';

/** Items of one page. */
const PAGE_MAX = 100;

const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const marking = z.strictObject({ seq });
const listing = z.strictObject({
  limit: limitUpTo(PAGE_MAX, 50),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, { error: 'Must be the cursor of the page before.' })
    .transform(Number)
    .optional(),
  minPosition,
});

type OfMessage = z.infer<typeof ofMessage>;
type Listing = z.infer<typeof listing>;

const THREAD_VIEWS = [
  'history',
  'members',
  'messages',
  'reactions',
  'threads',
  'replies',
  'followings',
  'hidden',
] as const;

/** What is said in answer to a message, beside the conversation; and what is deleted for oneself. */
@ApiTags('messages')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1')
export class ThreadsController {
  constructor(
    private readonly threads: Threads,
    private readonly fresh: Freshness,
  ) {}

  @Get('conversations/:conversationId/messages/:messageId/thread')
  @ApiOperation({ summary: 'The replies in the thread that hangs on a message, oldest first.' })
  async page(
    @Param({ schema: ofMessage }) message: OfMessage,
    @Query({ schema: listing }) { limit, cursor, minPosition: position }: Listing,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(THREAD_VIEWS, position);
    return this.threads.page(who.userId, message, limit, cursor);
  }

  @Put('conversations/:conversationId/messages/:messageId/thread/following')
  @ApiOperation({ summary: 'Have the replies of a thread as news.' })
  follow(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('thread.follow', message);
  }

  @Delete('conversations/:conversationId/messages/:messageId/thread/following')
  @ApiOperation({ summary: 'Have them as news no longer.' })
  unfollow(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('thread.unfollow', message);
  }

  @Post('conversations/:conversationId/messages/:messageId/thread/read')
  @HttpCode(200)
  @ApiOperation({ summary: 'Say how far one has read in a thread; it only moves forward.' })
  read(
    @Param({ schema: ofMessage }) message: OfMessage,
    @Body({ schema: marking }) body: z.infer<typeof marking>,
    @Calling() caller: Caller,
  ) {
    return caller.command('thread.read', { ...message, ...body });
  }

  @Get('me/threads')
  @ApiOperation({ summary: 'Threads that one follows, the latest reply first, with what is new.' })
  async list(
    @Query({ schema: listing }) { limit, cursor, minPosition: position }: Listing,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(THREAD_VIEWS, position);
    return this.threads.list(who.userId, limit, cursor);
  }

  @Put('conversations/:conversationId/messages/:messageId/hidden')
  @ApiOperation({ summary: 'Delete a message for oneself alone.' })
  hide(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('message.hide', message);
  }

  @Delete('conversations/:conversationId/messages/:messageId/hidden')
  @ApiOperation({ summary: 'Have it back.' })
  unhide(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('message.unhide', message);
  }
}
