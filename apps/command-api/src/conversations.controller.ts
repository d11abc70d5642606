import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { COMMANDS, id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness, limitUpTo, minPosition } from './freshness.js';
import { Inbox } from './inbox.js';
import { Transcript } from './transcript.js';

/** Conversations of one list page. */
const LIST_LIMIT_MAX = 100;
/** Read models that a list is made of. */
const LIST_VIEWS = ['members', 'conversations', 'receipts', 'arrangements'];
/** Members of one page. */
const MEMBERS_LIMIT_MAX = 200;

const inside = z.strictObject({ conversationId: id });
const ofMember = z.strictObject({ conversationId: id, userId: id });
const start = COMMANDS['conversation.start'].input;
const add = COMMANDS['member.add'].input.omit({ conversationId: true });
const nothing = z.strictObject({});
const listing = z.strictObject({
  limit: limitUpTo(LIST_LIMIT_MAX, 50),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  minPosition,
});
const paging = z.strictObject({
  limit: limitUpTo(MEMBERS_LIMIT_MAX, 100),
  cursor: id.optional(),
  /** Who is in it, or who was: the latter for those who look after it. */
  status: z.enum(['present', 'past']).default('present'),
  minPosition,
});

type Inside = z.infer<typeof inside>;

/** Conversations, who is in them, and one's list of them. */
@ApiTags('conversations')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1/conversations')
export class ConversationsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly transcript: Transcript,
    private readonly fresh: Freshness,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Start a conversation, or find the direct one with a person.' })
  start(@Body({ schema: start }) body: z.infer<typeof start>, @Calling() caller: Caller) {
    return caller.command('conversation.start', body, 201);
  }

  @Get()
  @ApiOperation({ summary: 'The conversations one is in, newest first.' })
  async list(
    @Query({ schema: listing }) query: z.infer<typeof listing>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(LIST_VIEWS, query.minPosition);
    const before = query.cursor === undefined ? undefined : Number(query.cursor);
    return this.inbox.list(who.userId, query.limit, before);
  }

  @Get(':conversationId')
  @ApiOperation({ summary: 'One conversation as the list shows it.' })
  async one(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(LIST_VIEWS, query.minPosition);
    return this.inbox.one(who.userId, conversationId);
  }

  @Get(':conversationId/members')
  @ApiOperation({ summary: 'Who is in it, or was, by page.' })
  async members(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: paging }) query: z.infer<typeof paging>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['members'], query.minPosition);
    const { limit, cursor, status } = query;
    return status === 'past'
      ? this.transcript.formerMembers(who.userId, conversationId, limit, cursor)
      : this.transcript.members(who.userId, conversationId, limit, cursor);
  }

  @Post(':conversationId/members')
  @HttpCode(200)
  @ApiOperation({ summary: 'Add people.' })
  add(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: add }) body: z.infer<typeof add>,
    @Calling() caller: Caller,
  ) {
    return caller.command('member.add', { ...params, ...body });
  }

  @Delete(':conversationId/members/:userId')
  @ApiOperation({ summary: 'Take somebody out.' })
  remove(@Param({ schema: ofMember }) params: z.infer<typeof ofMember>, @Calling() caller: Caller) {
    return caller.command('member.remove', params);
  }

  @Post(':conversationId/leave')
  @HttpCode(200)
  @ApiOperation({ summary: 'Leave.' })
  leave(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('conversation.leave', params);
  }

  @Post(':conversationId/follow')
  @HttpCode(200)
  @ApiOperation({ summary: 'Hear a broadcast.' })
  follow(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('broadcast.follow', params);
  }

  @Delete(':conversationId/follow')
  @ApiOperation({ summary: 'Hear it no longer.' })
  unfollow(@Param({ schema: inside }) params: Inside, @Calling() caller: Caller) {
    return caller.command('broadcast.unfollow', params);
  }
}
