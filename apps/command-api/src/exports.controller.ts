import { Controller, Get, Header, HttpCode, Param, Post, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Exports } from './exports.js';

const byId = z.strictObject({ exportId: id });

/** Everything that is held of oneself, to take away. */
@ApiTags('account')
@ApiBearerAuth()
@Controller('v1/me/exports')
export class ExportsController {
  constructor(private readonly exports: Exports) {}

  @Post()
  @HttpCode(202)
  @ApiOperation({ summary: 'Have everything that is held of oneself written down.' })
  begin(@Calling() { who }: Caller) {
    return this.exports.begin(who.userId);
  }

  @Get(':exportId')
  @ApiOperation({ summary: 'How that stands.' })
  one(@Param({ schema: byId }) { exportId }: z.infer<typeof byId>, @Calling() { who }: Caller) {
    return this.exports.one(who.userId, exportId);
  }

  @Get(':exportId/download')
  @Header('content-type', 'application/json')
  @Header('content-disposition', 'attachment; filename="scripta-export.json"')
  @ApiProduces('application/json')
  @ApiOperation({ summary: 'The finished document.' })
  async download(
    @Param({ schema: byId }) { exportId }: z.infer<typeof byId>,
    @Calling() { who }: Caller,
  ) {
    return new StreamableFile(await this.exports.read(who.userId, exportId));
  }
}
