import { Controller, Get, ServiceUnavailableException } from '@nestjs/common';
import { LiveProjection, type Lag } from './projection.js';

/** For who starts and watches the process. */
@Controller()
export class HealthController {
  constructor(private readonly projection: LiveProjection) {}

  @Get('livez')
  live(): { status: 'live' } {
    return { status: 'live' };
  }

  /** Ready once it follows the log and knows how far behind each view is. */
  @Get('readyz')
  async ready(): Promise<{ status: 'ready'; views: Readonly<Record<string, Lag>> }> {
    const views = await this.#known();
    return { status: 'ready', views };
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
