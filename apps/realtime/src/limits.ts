import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '#commands';
import { reject } from '#domain';
import { limitOf, RateLimiter, waitMsOf, type Config, type Limit } from '#platform';

/** How much a device may ask of the socket door; commands and marks have their own limits. */
@Injectable()
export class Limits {
  readonly #resumes: Limit | undefined;
  readonly #flood: Limit | undefined;
  readonly #unknown: Limit | undefined;

  constructor(
    private readonly limiter: RateLimiter,
    @Inject(CONFIG) config: Config,
  ) {
    this.#resumes = limitOf(config, 'resumes');
    this.#flood = limitOf(config, 'events');
    this.#unknown = limitOf(config, 'unknown-events');
  }

  /** Throws `rate_limited` for a device that asks for too many pages. */
  async mayResume(deviceId: string): Promise<void> {
    const retryAfterMs = await waitMsOf(this.limiter, this.#resumes, deviceId);
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many pages; wait a little.', { retryAfterMs });
  }

  /** Whether a device sends so much that it is better cut off. */
  async isFlood(deviceId: string): Promise<boolean> {
    return (await waitMsOf(this.limiter, this.#flood, deviceId)) > 0;
  }

  /** Whether a socket has sent too many events that nobody knows. */
  async isGuessing(socketId: string): Promise<boolean> {
    return (await waitMsOf(this.limiter, this.#unknown, socketId)) > 0;
  }
}
