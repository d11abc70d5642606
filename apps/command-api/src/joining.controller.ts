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
import { ApiBearerAuth, ApiHeader, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id, inviteToken, inviting, joining } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, freshness } from './freshness.js';
import { Joining } from './joining.js';

const inside = z.strictObject({ conversationId: id });
const ofPerson = z.strictObject({ conversationId: id, userId: id });
const ofInvite = z.strictObject({ conversationId: id, inviteId: id });
const byLink = z.strictObject({ token: inviteToken });
const nothing = z.strictObject({});

type Inside = z.infer<typeof inside>;
type OfPerson = z.infer<typeof ofPerson>;
type ByLink = z.infer<typeof byLink>;
type Fresh = z.infer<typeof freshness>;

const DOOR_VIEWS = ['conversations', 'members', 'invites', 'waiting'] as const;

/** How people come into groups: by links, by asking, by being asked, through an open door. */
@ApiTags('joining')
@ApiBearerAuth()
@ApiHeader({ name: 'Idempotency-Key', required: false, schema: { type: 'string' } })
@Controller('v1')
export class JoiningController {
  constructor(
    private readonly doors: Joining,
    private readonly fresh: Freshness,
  ) {}

  @Patch('conversations/:conversationId/joining')
  @ApiOperation({
    summary: 'Say who finds a group, who waits for an approval, what newcomers read.',
  })
  change(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: joining }) body: z.infer<typeof joining>,
    @Calling() caller: Caller,
  ) {
    return caller.command('joining.change', { ...params, ...body });
  }

  @Post('conversations/:conversationId/invites')
  @ApiOperation({ summary: 'Make a link; its token is in the list of links.' })
  create(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: inviting }) body: z.infer<typeof inviting>,
    @Calling() caller: Caller,
  ) {
    return caller.command('invite.create', { ...params, ...body }, 201);
  }

  @Get('conversations/:conversationId/invites')
  @ApiOperation({ summary: 'The links of a group, the newest first.' })
  async invites(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: freshness }) { minPosition }: Fresh,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(DOOR_VIEWS, minPosition);
    return { items: await this.doors.invites(who.userId, conversationId) };
  }

  @Delete('conversations/:conversationId/invites/:inviteId')
  @ApiOperation({ summary: 'Make a link worth nothing.' })
  revoke(@Param({ schema: ofInvite }) params: z.infer<typeof ofInvite>, @Calling() caller: Caller) {
    return caller.command('invite.revoke', params);
  }

  @Get('invites/:token')
  @ApiOperation({ summary: 'What a link leads to; looking changes nothing.' })
  async preview(
    @Param({ schema: byLink }) { token }: ByLink,
    @Query({ schema: freshness }) { minPosition }: Fresh,
  ) {
    await this.fresh.reach(DOOR_VIEWS, minPosition);
    return this.doors.preview(token);
  }

  @Post('invites/:token/join')
  @HttpCode(200)
  @ApiOperation({ summary: 'Come in by a link, or ask to.' })
  join(
    @Param({ schema: byLink }) params: ByLink,
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('invite.join', params);
  }

  @Get('conversations/:conversationId/preview')
  @ApiOperation({ summary: 'What a public group shows to everybody.' })
  async publicPreview(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: freshness }) { minPosition }: Fresh,
  ) {
    await this.fresh.reach(DOOR_VIEWS, minPosition);
    return this.doors.publicPreview(conversationId);
  }

  @Post('conversations/:conversationId/join')
  @HttpCode(200)
  @ApiOperation({ summary: 'Come into a public group, or ask to.' })
  joinPublic(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('conversation.join', params);
  }

  @Get('conversations/:conversationId/waiting')
  @ApiOperation({ summary: 'Who asks to come in, and who was asked to.' })
  async waiting(
    @Param({ schema: inside }) { conversationId }: Inside,
    @Query({ schema: freshness }) { minPosition }: Fresh,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(DOOR_VIEWS, minPosition);
    return { items: await this.doors.waiting(who.userId, conversationId) };
  }

  @Put('conversations/:conversationId/requests/:userId')
  @ApiOperation({ summary: 'Let somebody in who asked.' })
  approve(@Param({ schema: ofPerson }) params: OfPerson, @Calling() caller: Caller) {
    return caller.command('request.approve', params);
  }

  @Delete('conversations/:conversationId/requests/:userId')
  @ApiOperation({ summary: 'Do not let them in, or ask no longer oneself.' })
  refuse(@Param({ schema: ofPerson }) params: OfPerson, @Calling() caller: Caller) {
    return caller.command('request.end', params);
  }

  @Get('me/waiting')
  @ApiOperation({ summary: 'Where one was invited, and where one asks to come in.' })
  async own(@Query({ schema: freshness }) { minPosition }: Fresh, @Calling() { who }: Caller) {
    await this.fresh.reach(DOOR_VIEWS, minPosition);
    return { items: await this.doors.own(who.userId) };
  }

  @Post('conversations/:conversationId/invitation/accept')
  @HttpCode(200)
  @ApiOperation({ summary: 'Come in where one was invited.' })
  accept(
    @Param({ schema: inside }) params: Inside,
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() caller: Caller,
  ) {
    return caller.command('invitation.accept', params);
  }

  @Delete('conversations/:conversationId/invitations/:userId')
  @ApiOperation({ summary: 'Do not come, or invite somebody no longer.' })
  decline(@Param({ schema: ofPerson }) params: OfPerson, @Calling() caller: Caller) {
    return caller.command('invitation.end', params);
  }
}
