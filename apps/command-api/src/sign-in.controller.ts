import { Body, Controller, HttpCode, Inject, Post, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Request, Response } from 'express';
import { z } from 'zod';
import { CONFIG, id, name } from '#commands';
import { addressOf, type Config } from '#platform';
import { Calling, Open, type Caller } from './caller.js';
import { Logins, type From } from './logins.js';
import { OneTimeCodes } from './one-time-codes.js';
import { placeOf } from './place.js';
import { Sessions } from './sessions.js';

const asking = z.strictObject({ phone: z.string().max(64) });
const device = z.strictObject({
  id: id.optional(),
  name,
  platform: z.string().regex(/^[\w .-]{1,32}$/, { error: 'Such as web, ios or node.' }),
  version: z
    .string()
    .regex(/^[\w.+-]{1,32}$/, { error: 'Such as 1.4.2.' })
    .optional(),
});
const ticket = z.string().max(128);
const digits = z.string().regex(/^\d{4,10}$/, { error: 'Must be the digits of the code.' });
const proving = z.strictObject({ requestId: id, code: digits });
const completing = z.union([
  z.strictObject({
    requestId: id,
    code: digits,
    name: name.default('New user'),
    device,
    replace: id.optional(),
  }),
  z.strictObject({ ticket, replace: id.optional() }),
]);
const linking = z.strictObject({ device });
const refreshing = z.strictObject({ refreshToken: z.string().max(256), deviceId: id });
const nothing = z.strictObject({});

/** Registering, logging in and out. */
@ApiTags('auth')
@Controller('v1/auth')
export class SignInController {
  constructor(
    private readonly codes: OneTimeCodes,
    private readonly logins: Logins,
    private readonly sessions: Sessions,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  @Open()
  @Post('codes')
  @HttpCode(202)
  @ApiOperation({ summary: 'Have a one-time code sent to a phone number.' })
  request(@Body({ schema: asking }) { phone }: z.infer<typeof asking>, @Req() request: Request) {
    return this.codes.send(phone, addressOf(request));
  }

  @Open()
  @Post('tokens')
  @HttpCode(200)
  @ApiOperation({
    summary: 'Take a code, or the ticket of a login under way, for tokens; a new number registers.',
  })
  async complete(
    @Body({ schema: completing }) body: z.infer<typeof completing>,
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ) {
    const from = this.#from(request, body.replace);
    const { position, ...answer } =
      'ticket' in body
        ? await this.logins.byTicket(body.ticket, from)
        : await this.logins.byCode(body, from);
    response.set('X-Position', position);
    return answer;
  }

  @Post('phone')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'Go by another number, by a code that was sent to it.' })
  async changePhone(
    @Body({ schema: proving }) body: z.infer<typeof proving>,
    @Req() request: Request,
    @Calling() caller: Caller,
  ) {
    const from = this.#from(request);
    return caller.answer(await this.logins.changePhone(caller.who, body, from));
  }

  @Open()
  @Post('links')
  @HttpCode(201)
  @ApiOperation({ summary: 'Begin to link a device: show the payload to one that is logged in.' })
  link(@Body({ schema: linking }) body: z.infer<typeof linking>) {
    return this.logins.link(body.device);
  }

  @Open()
  @Post('refresh')
  @HttpCode(200)
  @ApiOperation({ summary: 'Take a refresh token for the next pair; it is good once.' })
  refresh(@Body({ schema: refreshing }) body: z.infer<typeof refreshing>) {
    return this.sessions.refresh(body.refreshToken, body.deviceId);
  }

  @Post('logout')
  @HttpCode(200)
  @ApiBearerAuth()
  @ApiOperation({ summary: 'End this session; the device stays linked.' })
  async logOut(
    @Body({ schema: nothing }) _: z.infer<typeof nothing>,
    @Calling() { who }: Caller,
    @Res({ passthrough: true }) response: Response,
  ) {
    const position = await this.sessions.end(who, 'logout');
    response.set('X-Position', position);
    return { position };
  }

  #from(request: Request, replacing?: string): From {
    const place = placeOf(request, this.config.PLACE_HEADER);
    return { address: addressOf(request), place, replacing };
  }
}
