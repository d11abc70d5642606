import { Controller, Get, HttpException } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { EventStore, Views } from '#platform';
import { Open } from './caller.js';

/** For who starts and watches the process. */
@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly store: EventStore,
    private readonly views: Views,
  ) {}

  @Open()
  @Get('livez')
  @ApiOperation({ summary: 'The process lives.' })
  live() {
    return { status: 'live' };
  }

  @Open()
  @Get('readyz')
  @ApiOperation({ summary: 'The log answers, so commands are taken; says how the views are.' })
  async ready() {
    const [log, views] = await Promise.all([
      isUp(this.store.last('readiness')),
      isUp(this.views.checkpoint('history')),
    ]);
    if (log === 'down') throw new HttpException('The log does not answer.', 503);
    return { status: 'ready', log, views };
  }
}

const isUp = (asking: Promise<unknown>): Promise<'up' | 'down'> =>
  asking.then(
    () => 'up' as const,
    () => 'down' as const,
  );
