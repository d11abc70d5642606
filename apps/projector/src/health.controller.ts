import { Controller, Get, Header, ServiceUnavailableException } from '@nestjs/common';
import { METRICS_TYPE, metricsText } from '#platform';
import { LiveProjection, type Lag } from './projection.js';

/** `parked`: streams that wait, by view; a view for which none waits is left out. */
type Readiness = Readonly<{
  status: 'ready';
  views: Readonly<Record<string, Lag>>;
  parked: Readonly<Record<string, number>>;
}>;

/** For who starts and watches the process. */
@Controller()
export class HealthController {
  constructor(private readonly projection: LiveProjection) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** What went wrong, by code and place, as Prometheus reads it. */
  @Get('metrics')
  @Header('content-type', METRICS_TYPE)
  metrics(): string {
    return metricsText();
  }

  /** Ready once it follows the log and knows how far behind each view is. */
  @Get('readyz')
  async ready(): Promise<Readiness> {
    const views = await this.#known();
    const waiting = Object.entries(this.projection.parked);
    const parked = Object.fromEntries(waiting.map(([view, streams]) => [view, streams.length]));
    return { status: 'ready', views, parked };
  }

  /**
   * By view: where it stands, where the log stands, and for how long something has been missing.
   */
  @Get('lag')
  lag(): Promise<Readonly<Record<string, Lag>>> {
    return this.#known();
  }

  async #known(): Promise<Readonly<Record<string, Lag>>> {
    try {
      return await this.projection.lag();
    } catch (cause) {
      throw new ServiceUnavailableException('The lag is not known just now.', { cause });
    }
  }
}
