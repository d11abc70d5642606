import { Body, Controller, Delete, Get, Param, Patch, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { banning, COMMANDS, description, id, pace, permissions } from '#commands';
import { LEFT_BEHIND } from '#domain';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness } from './freshness.js';
import { Inbox } from './inbox.js';

const inside = z.strictObject({ conversationId: id });
const ofMember = z.strictObject({ conversationId: id, userId: id });
const role = COMMANDS['role.change'].input.omit({ conversationId: true, userId: true });
const owner = z.strictObject({ userId: id });
const deleting = z.strictObject({ history: z.enum(LEFT_BEHIND).default('kept') });

type Inside = z.infer<typeof inside>;
type OfMember = z.infer<typeof ofMember>;

/** What a group is, who may do what in it, how fast may be said what, and its end. */
@ApiTags('groups')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1/conversations/:conversationId')
export class GroupsController {
  constructor(
    private readonly inbox: Inbox,
    private readonly fresh: Freshness,
  ) {}

  @Patch()
  @ApiOperation({ summary: 'Give a group another name, description or picture.' })
  change(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: description }) body: z.infer<typeof description>,
    @Calling() caller: Caller,
  ) {
    return caller.command('conversation.change', { ...params, ...body });
  }

  @Delete()
  @ApiOperation({
    summary: 'End a group for all; its history stays with who was in it, or is closed to all.',
  })
  delete(
    @Param({ schema: inside }) params: Inside,
    @Query({ schema: deleting }) query: z.infer<typeof deleting>,
    @Calling() caller: Caller,
  ) {
    return caller.command('conversation.delete', { ...params, ...query });
  }

  @Put('members/:userId/role')
  @ApiOperation({ summary: 'Make a member an admin, a moderator or a mere member.' })
  role(
    @Param({ schema: ofMember }) params: OfMember,
    @Body({ schema: role }) body: z.infer<typeof role>,
    @Calling() caller: Caller,
  ) {
    return caller.command('role.change', { ...params, ...body });
  }

  @Put('owner')
  @ApiOperation({ summary: 'Make another member the owner.' })
  owner(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: owner }) body: z.infer<typeof owner>,
    @Calling() caller: Caller,
  ) {
    return caller.command('ownership.transfer', { ...params, ...body });
  }

  @Put('bans/:userId')
  @ApiOperation({ summary: 'Take somebody out, not to come back until a time, or ever.' })
  ban(
    @Param({ schema: ofMember }) params: OfMember,
    @Body({ schema: banning }) body: z.infer<typeof banning>,
    @Calling() caller: Caller,
  ) {
    return caller.command('member.ban', { ...params, ...body });
  }

  @Delete('bans/:userId')
  @ApiOperation({ summary: 'Let somebody come back.' })
  unban(@Param({ schema: ofMember }) params: OfMember, @Calling() caller: Caller) {
    return caller.command('member.unban', params);
  }

  @Get('permissions')
  @ApiOperation({ summary: 'The least role for everything that members do.' })
  async permissions(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: freshness }) query: z.infer<typeof freshness>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['members', 'conversations'], query.minPosition);
    return this.inbox.permissions(who.userId, conversationId);
  }

  @Patch('permissions')
  @ApiOperation({ summary: 'Say who may do what; only the owner may.' })
  permit(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: permissions }) body: z.infer<typeof permissions>,
    @Calling() caller: Caller,
  ) {
    return caller.command('permissions.change', { ...params, permissions: body });
  }

  @Patch('pace')
  @ApiOperation({ summary: 'Say how fast may be said what: by each member, by all together.' })
  pace(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: pace }) body: z.infer<typeof pace>,
    @Calling() caller: Caller,
  ) {
    return caller.command('pace.change', { ...params, ...body });
  }
}
