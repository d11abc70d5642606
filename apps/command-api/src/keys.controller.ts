import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Response } from 'express';
import { AccessTokens } from '#platform';
import { Open } from './caller.js';

/** How long others may keep the keys: less than a key is shown before it signs. */
const KEPT_S = 300;

/** The keys by which others verify our access tokens. */
@ApiTags('auth')
@Controller('.well-known')
export class KeysController {
  constructor(private readonly tokens: AccessTokens) {}

  @Open()
  @Get('jwks.json')
  @ApiOperation({ summary: 'Public keys of access tokens (RFC 7517).' })
  keys(@Res({ passthrough: true }) response: Response) {
    response.set('Cache-Control', `public, max-age=${KEPT_S}`);
    return { keys: this.tokens.publicKeys() };
  }
}
