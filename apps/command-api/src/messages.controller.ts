import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { editing, id, ReceiptsDoor, sending, seq } from '#commands';
import { MARK_KINDS } from '#domain';
import { Calling, type Caller } from './caller.js';
import { Deliveries } from './deliveries.js';
import { Freshness, limitUpTo, minPosition } from './freshness.js';
import { Transcript } from './transcript.js';

/** Facts of one history page. */
const HISTORY_LIMIT_MAX = 100;
/** People of one page of receipts. */
const RECEIPTS_LIMIT_MAX = 200;

/** The views that a page is made from. */
const TRANSCRIPT_VIEWS = [
  'history',
  'members',
  'messages',
  'reactions',
  'threads',
  'hidden',
] as const;

const inside = z.strictObject({ conversationId: id });
const ofMessage = z.strictObject({ conversationId: id, messageId: id });
const marking = z.strictObject({ kind: z.enum(MARK_KINDS), seq });
const place = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'Must be a seq or a cursor.' })
  .transform(Number)
  .optional();
const span = z.strictObject({
  before: place,
  after: place,
  limit: limitUpTo(HISTORY_LIMIT_MAX, 50),
  minPosition,
});
const awaiting = z.strictObject({ minPosition });
const paging = z.strictObject({
  limit: limitUpTo(RECEIPTS_LIMIT_MAX, 100),
  cursor: id.optional(),
  minPosition,
});

type Inside = z.infer<typeof inside>;

/** What is said in a conversation, and how far it has got. */
@ApiTags('messages')
@ApiBearerAuth()
@Controller('v1/conversations/:conversationId')
export class MessagesController {
  constructor(
    private readonly transcript: Transcript,
    private readonly receiptsDoor: ReceiptsDoor,
    private readonly fresh: Freshness,
    private readonly ledger: Deliveries,
  ) {}

  @Post('messages')
  @ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
  @ApiOperation({ summary: 'Say something.' })
  send(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: sending }) body: z.infer<typeof sending>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.send', { ...params, ...body }, 201);
  }

  @Get('messages')
  @ApiOperation({ summary: 'All facts in the order of seq, as far as one was there.' })
  async history(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: span }) { minPosition: position, ...query }: z.infer<typeof span>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(TRANSCRIPT_VIEWS, position);
    return this.transcript.page(who.userId, conversationId, query);
  }

  @Patch('messages/:messageId')
  @ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
  @ApiOperation({ summary: 'Say it otherwise, within a day; earlier versions stay readable.' })
  edit(
    @Param({ schema: ofMessage }) params: z.infer<typeof ofMessage>,
    @Body({ schema: editing }) body: z.infer<typeof editing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.edit', { ...params, ...body });
  }

  @Delete('messages/:messageId')
  @ApiOperation({
    summary: 'Take a message back for all: its author within two days, or an admin.',
  })
  delete(
    @Param({ schema: ofMessage }) params: z.infer<typeof ofMessage>,
    @Calling() caller: Caller,
  ) {
    return caller.command('message.delete', params);
  }

  @Get('messages/:messageId/versions')
  @ApiOperation({ summary: 'All that a message has said, oldest first; nothing once deleted.' })
  async versions(
    @Param({ schema: ofMessage }) message: z.infer<typeof ofMessage>,
    @Query({ schema: awaiting }) query: z.infer<typeof awaiting>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'messages'], query.minPosition);
    return { items: await this.transcript.versions(who.userId, message) };
  }

  @Get('messages/:messageId/receipts')
  @ApiOperation({ summary: 'Whom a message of one’s own reached, and who saw it, by page.' })
  async receipts(
    @Param({ schema: ofMessage }) { conversationId, messageId }: z.infer<typeof ofMessage>,
    @Query({ schema: paging }) { limit, cursor, minPosition: position }: z.infer<typeof paging>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'receipts'], position);
    const message = { conversationId, messageId };
    return this.transcript.receipts(who.userId, message, limit, cursor);
  }

  @Get('messages/:messageId/deliveries')
  @ApiOperation({
    summary: 'What became of a message of one’s own: by person and device every attempt, by page.',
  })
  async deliveries(
    @Param({ schema: ofMessage }) { conversationId, messageId }: z.infer<typeof ofMessage>,
    @Query({ schema: paging }) { limit, cursor, minPosition: position }: z.infer<typeof paging>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'receipts'], position);
    const message = await this.transcript.ownMessage(who.userId, { conversationId, messageId });
    return this.ledger.page(message, limit, cursor);
  }

  @Post('marks')
  @HttpCode(202)
  @ApiOperation({
    summary: 'Say how far messages were delivered or read; marks only move forward.',
  })
  async mark(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Body({ schema: marking }) body: z.infer<typeof marking>,
    @Calling() caller: Caller,
  ) {
    const { userId, deviceId: device } = caller.who;
    return caller.answer(await this.receiptsDoor.mark({ conversationId, userId, device, ...body }));
  }
}
