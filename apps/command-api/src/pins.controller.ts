import { Body, Controller, Delete, Get, Param, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { forwarding, id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, minPosition } from './freshness.js';
import { Transcript } from './transcript.js';

const inside = z.strictObject({ conversationId: id });
const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const awaiting = z.strictObject({ minPosition });

type Inside = z.infer<typeof inside>;
type OfMessage = z.infer<typeof ofMessage>;

/** What is done with messages that were said: shown at the top, passed on. */
@ApiTags('messages')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1/conversations/:conversationId')
export class PinsController {
  constructor(
    private readonly transcript: Transcript,
    private readonly fresh: Freshness,
  ) {}

  @Post('forwards')
  @ApiOperation({ summary: 'Say here what somebody said elsewhere, with their name on it.' })
  forward(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: forwarding }) body: z.infer<typeof forwarding>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.forward', { ...params, ...body }, 201);
  }

  @Put('messages/:messageId/pin')
  @ApiOperation({ summary: 'Show a message at the top, for everybody.' })
  pin(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('message.pin', message);
  }

  @Delete('messages/:messageId/pin')
  @ApiOperation({ summary: 'Show it there no longer.' })
  unpin(@Param({ schema: ofMessage }) message: OfMessage, @Calling() caller: Caller) {
    return caller.command('message.unpin', message);
  }

  @Get('pins')
  @ApiOperation({ summary: 'Pinned messages, the latest pin first.' })
  async pins(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: awaiting }) query: z.infer<typeof awaiting>,
    @Calling() { who }: Caller,
  ) {
    const views = ['conversations', 'history', 'members', 'messages', 'reactions'] as const;
    await this.fresh.reach(views, query.minPosition);
    return { items: await this.transcript.pins(who.userId, conversationId) };
  }
}
