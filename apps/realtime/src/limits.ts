import { Inject, Injectable } from '@nestjs/common';
import { CONFIG } from '#commands';
import { reject } from '#domain';
import { RateLimiter, type Config, type Limit } from '#platform';

/** Unknown events a minute before a socket is closed (abuse 43). */
const UNKNOWN_PER_MINUTE_MAX = 20;
/** Sending this many times faster than allowed is a flood, and closes the socket (abuse 47). */
const FLOOD_TIMES = 10;

const UNKNOWN: Limit = {
  name: 'unknown-events',
  burst: UNKNOWN_PER_MINUTE_MAX,
  perSecond: UNKNOWN_PER_MINUTE_MAX / 60,
  onStoreDown: 'open',
};

/** How much a device may ask of the socket door; commands and marks have their own limits. */
@Injectable()
export class Limits {
  readonly #resumes: Limit | undefined;
  readonly #flood: Limit | undefined;

  constructor(
    private readonly limiter: RateLimiter,
    @Inject(CONFIG) { RATE_LIMIT_COMMANDS, COMMANDS_BURST_MAX, COMMANDS_PER_SECOND }: Config,
  ) {
    const limit = (name: string, times: number): Limit => ({
      name,
      burst: COMMANDS_BURST_MAX * times,
      perSecond: COMMANDS_PER_SECOND * times,
      onStoreDown: 'open',
    });
    if (!RATE_LIMIT_COMMANDS) return;
    this.#resumes = limit('resumes', 1);
    this.#flood = limit('events', FLOOD_TIMES);
  }

  /** Throws `rate_limited` for a device that asks for too many pages. */
  async mayResume(deviceId: string): Promise<void> {
    const retryAfterMs = await this.#wait(this.#resumes, deviceId);
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many pages; wait a little.', { retryAfterMs });
  }

  /** Whether a device sends so much that it is better cut off. */
  async isFlood(deviceId: string): Promise<boolean> {
    return (await this.#wait(this.#flood, deviceId)) > 0;
  }

  /** Whether a socket has sent too many events that nobody knows. */
  async isGuessing(socketId: string): Promise<boolean> {
    return (await this.#wait(UNKNOWN, socketId)) > 0;
  }

  async #wait(limit: Limit | undefined, key: string): Promise<number> {
    return limit ? this.limiter.take(limit, key) : 0;
  }
}
