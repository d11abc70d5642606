import { Body, Controller, Delete, Get, Param, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { emoji, id, ReactionsDoor } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Reactions } from './reactions.js';

/** People of one page. */
const PAGE_MAX = 200;

const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const reacting = z.strictObject({ emoji });
const paging = z.strictObject({
  limit: limitUpTo(PAGE_MAX, 100),
  cursor: id.optional(),
  minPosition,
});

type OfMessage = z.infer<typeof ofMessage>;

/** What people feel about a message. */
@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/conversations/:conversationId/messages/:messageId')
export class ReactionsController {
  constructor(
    private readonly door: ReactionsDoor,
    private readonly reactions: Reactions,
    private readonly fresh: Freshness,
  ) {}

  @Put('reaction')
  @ApiOperation({ summary: 'React with one emoji; another one takes its place.' })
  async react(
    @Param({ schema: ofMessage }) message: OfMessage,
    @Body({ schema: reacting }) body: z.infer<typeof reacting>,
    @Calling() caller: Caller,
  ) {
    const { userId, deviceId: device } = caller.who;
    return caller.answer(await this.door.react({ ...message, ...body, userId, device }));
  }

  @Delete('reaction')
  @ApiOperation({ summary: 'Take one’s reaction away.' })
  async unreact(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    const { userId, deviceId: device } = caller.who;
    return caller.answer(await this.door.react({ ...message, userId, device }));
  }

  @Get('reactions')
  @ApiOperation({ summary: 'Who reacted, and with what, by page.' })
  async list(
    @Param({ schema: ofMessage }) message: OfMessage,
    @Query({ schema: paging }) { limit, cursor, minPosition: position }: z.infer<typeof paging>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'messages', 'reactions'], position);
    return this.reactions.page(who.userId, message, limit, cursor);
  }
}
