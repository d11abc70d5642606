import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id, name } from '#commands';
import { Calling, type Caller } from './caller.js';
import { LINK_PAYLOAD } from './logins.js';
import { Myself } from './myself.js';
import { Sessions } from './sessions.js';
import { Tickets } from './tickets.js';

const ofDevice = z.strictObject({ deviceId: id });
const ofSession = z.strictObject({ sessionId: id });
const naming = z.strictObject({ name });
const deciding = z.union([
  z.strictObject({ approvalId: id, approve: z.boolean() }),
  z.strictObject({
    payload: z.string().startsWith(LINK_PAYLOAD).max(64),
    approve: z.boolean().default(true),
  }),
]);

/** One's own devices and their sessions. */
@ApiTags('devices')
@ApiBearerAuth()
@Controller('v1/me')
export class DevicesController {
  constructor(
    private readonly myself: Myself,
    private readonly sessions: Sessions,
    private readonly tickets: Tickets,
  ) {}

  @Get('devices')
  @ApiOperation({ summary: 'Linked devices with their sessions.' })
  async devices(@Calling() { who }: Caller) {
    const { devices } = await this.myself.view(who.userId);
    const items = devices.map(async ({ at, session, ...device }) => ({
      ...device,
      linkedAt: at,
      current: device.deviceId === who.deviceId,
      ...(session
        ? { session: { ...session, seenAt: await this.sessions.seenAt(session.sessionId) } }
        : {}),
    }));
    return { items: await Promise.all(items) };
  }

  @Patch('devices/:deviceId')
  @ApiOperation({ summary: 'Give a device another name.' })
  rename(
    @Param({ schema: ofDevice }) params: z.infer<typeof ofDevice>,
    @Body({ schema: naming }) body: z.infer<typeof naming>,
    @Calling() caller: Caller,
  ) {
    return caller.command('device.rename', { ...params, ...body });
  }

  @Delete('devices/:deviceId')
  @ApiOperation({ summary: 'Let a device act no longer.' })
  remove(@Param({ schema: ofDevice }) params: z.infer<typeof ofDevice>, @Calling() caller: Caller) {
    return this.myself.ending(caller.command('device.remove', params));
  }

  @Delete('sessions/:sessionId')
  @ApiOperation({ summary: 'End a session; its device stays linked.' })
  revoke(
    @Param({ schema: ofSession }) params: z.infer<typeof ofSession>,
    @Calling() caller: Caller,
  ) {
    return this.myself.ending(caller.command('session.revoke', params));
  }

  @Delete('sessions')
  @ApiOperation({ summary: 'End all other sessions.' })
  revokeOthers(@Calling() caller: Caller) {
    return this.myself.ending(caller.command('sessions.revoke', {}));
  }

  @Post('approvals')
  @HttpCode(200)
  @ApiOperation({ summary: 'Approve or refuse a new device: one that waits, or one just scanned.' })
  async decide(
    @Body({ schema: deciding }) body: z.infer<typeof deciding>,
    @Calling() { who }: Caller,
  ) {
    const approvalId =
      'approvalId' in body ? body.approvalId : body.payload.slice(LINK_PAYLOAD.length);
    await this.tickets.decide(approvalId, who, body.approve);
    return { approvalId, approved: body.approve };
  }
}
