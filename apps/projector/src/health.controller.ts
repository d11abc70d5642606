import { Controller, Get } from '@nestjs/common';
import { LiveProjection, type Lag } from './projection.js';

/** For who starts and watches the process. */
@Controller()
export class HealthController {
  constructor(private readonly projection: LiveProjection) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** Ready once it follows the log; how far behind it is, `/lag` says. */
  @Get('readyz')
  async ready(): Promise<{ status: 'ready'; lag: Lag }> {
    return { status: 'ready', lag: await this.projection.lag() };
  }

  @Get('lag')
  lag(): Promise<Lag> {
    return this.projection.lag();
  }
}
