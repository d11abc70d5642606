import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness, limitUpTo, minPosition } from './freshness.js';
import { Passages, type Spot } from './passages.js';

/** Facts of one passage. */
const PASSAGE_LIMIT_MAX = 100;

const inside = z.strictObject({ conversationId: id });
const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const around = z
  .strictObject({
    seq: z
      .string()
      .regex(/^\d{1,15}$/, { error: 'Must be a seq.' })
      .transform(Number)
      .optional(),
    messageId: id.optional(),
    at: z.iso.datetime({ offset: true }).optional(),
    limit: limitUpTo(PASSAGE_LIMIT_MAX, 50),
    minPosition,
  })
  .refine(({ seq, messageId, at }) => [seq, messageId, at].filter(isGiven).length === 1, {
    error: 'Say where: one of seq, messageId and at.',
  });
type Around = z.infer<typeof around>;

const isGiven = (value: unknown): boolean => value !== undefined;

const spotOf = ({ seq, messageId, at = '' }: Around): Spot =>
  seq !== undefined ? { seq } : messageId !== undefined ? { messageId } : { at };

/** Jumps into a conversation's history: to a message, a seq, a date. */
@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/conversations/:conversationId')
export class PassagesController {
  constructor(
    private readonly passages: Passages,
    private readonly fresh: Freshness,
  ) {}

  @Get('around')
  @ApiOperation({ summary: 'Facts around a seq, a message or a time, as far as one was there.' })
  async around(
    @Param({ schema: inside }) { conversationId }: z.infer<typeof inside>,
    @Query({ schema: around }) query: Around,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'conversations'], query.minPosition);
    return this.passages.around(who.userId, conversationId, spotOf(query), query.limit);
  }

  @Get('messages/:messageId')
  @ApiOperation({ summary: 'One message: its permalink.' })
  async message(
    @Param({ schema: ofMessage }) { conversationId, messageId }: z.infer<typeof ofMessage>,
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members'], query.minPosition);
    return this.passages.message(who.userId, conversationId, messageId);
  }
}
