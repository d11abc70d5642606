import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { z } from 'zod';
import { id, name } from '#commands';
import { AccessTokens } from '#platform';
import { Open } from './caller.js';
import { OneTimeCodes } from './one-time-codes.js';
import { Registration } from './registration.js';

const asking = z.strictObject({ phone: z.string().max(64) });
const completing = z.strictObject({
  requestId: id,
  code: z.string().regex(/^\d{4,10}$/, { error: 'Must be the digits of the code.' }),
  name: name.default('New user'),
  device: z.strictObject({
    id: id.optional(),
    name,
    platform: z.string().regex(/^[\w .-]{1,32}$/, { error: 'Such as web, ios or node.' }),
  }),
});

/** Registering and logging in. */
@ApiTags('auth')
@Controller('v1/auth')
export class SignInController {
  constructor(
    private readonly codes: OneTimeCodes,
    private readonly registration: Registration,
    private readonly tokens: AccessTokens,
  ) {}

  @Open()
  @Post('codes')
  @HttpCode(202)
  @ApiOperation({ summary: 'Have a one-time code sent to a phone number.' })
  request(@Body({ schema: asking }) { phone }: z.infer<typeof asking>) {
    return this.codes.send(phone);
  }

  @Open()
  @Post('tokens')
  @HttpCode(200)
  @ApiOperation({ summary: 'Take the code for an access token; an unknown number registers.' })
  async complete(
    @Body({ schema: completing }) body: z.infer<typeof completing>,
    @Res({ passthrough: true }) response: Response,
  ) {
    const { requestId, code, name: shown, device } = body;
    const phone = await this.codes.redeem(requestId, code);
    const { position, ...who } = await this.registration.admit(requestId, phone, shown, device);
    const { token, expiresAtMs } = await this.tokens.issue(who);
    response.set('X-Position', position);
    return { accessToken: token, expiresAt: new Date(expiresAtMs).toISOString(), ...who };
  }
}
