import { Controller, Get, Header } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import { answered } from '#commands';
import { METRICS_TYPE, metricsText, EventStore, LogUnavailable, Timer, Views } from '#platform';
import { Open } from './caller.js';

/** For who starts and watches the process. */
@ApiTags('health')
@Controller()
export class HealthController {
  constructor(
    private readonly store: EventStore,
    private readonly views: Views,
    private readonly timer: Timer,
  ) {}

  @Open()
  @Get('livez')
  @ApiOperation({ summary: 'The process lives.' })
  live() {
    return { status: 'live' };
  }

  /** What went wrong, by code and place, as Prometheus reads it. */
  @Open()
  @Get('metrics')
  @Header('content-type', METRICS_TYPE)
  @ApiOperation({ summary: 'What went wrong, counted, as Prometheus reads it.' })
  metrics(): string {
    return metricsText();
  }

  @Open()
  @Get('readyz')
  @ApiOperation({ summary: 'The log answers, so commands are taken; says how the views are.' })
  async ready() {
    const [log, views] = await Promise.all([
      isUp(answered(this.timer, this.store.last('readiness'))),
      isUp(answered(this.timer, this.views.checkpoint('history'))),
    ]);
    if (log === 'down') throw new LogUnavailable('The log does not answer.');
    return { status: 'ready', log, views };
  }
}

const isUp = (asking: Promise<unknown>): Promise<'up' | 'down'> =>
  asking.then(
    () => 'up' as const,
    () => 'down' as const,
  );
