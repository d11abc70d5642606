import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { id } from '#commands';
import { Calling, type Caller } from './caller.js';
import { Freshness, minPosition } from './freshness.js';
import { Traces } from './traces.js';

const byId = z.strictObject({ commandId: id });
const tracing = z.strictObject({ conversationId: id.optional(), minPosition });

/** What became of one's own commands. */
@ApiTags('commands')
@ApiBearerAuth()
@Controller('v1/commands')
export class CommandsController {
  constructor(
    private readonly traces: Traces,
    private readonly fresh: Freshness,
  ) {}

  @Get(':commandId/trace')
  @ApiOperation({
    summary: 'From a command of one’s own to its events, what they caused, and every delivery.',
  })
  async trace(
    @Param({ schema: byId }) { commandId }: z.infer<typeof byId>,
    @Query({ schema: tracing }) query: z.infer<typeof tracing>,
    @Calling() { who }: Caller,
  ) {
    await this.fresh.reach(['history', 'members', 'receipts'], query.minPosition);
    return this.traces.of(who.userId, commandId, query.conversationId);
  }
}
