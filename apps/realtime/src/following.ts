import { Injectable, Logger } from '@nestjs/common';
import { EventStore, Timer, type Subscription } from '#platform';
import { DeliveryLoop, FOLLOWED_PREFIXES } from './loop.js';

/** Keeps the delivery loop on the log. */
@Injectable()
export class Following {
  readonly #logger = new Logger('Following');
  #subscription: Subscription | undefined;
  isFollowing = false;

  constructor(
    private readonly store: EventStore,
    private readonly loop: DeliveryLoop,
    private readonly timer: Timer,
  ) {}

  async start(): Promise<void> {
    const from = await this.loop.begin();
    await this.#subscribe(from);
  }

  async #subscribe(from: number | undefined): Promise<void> {
    this.#subscription = await this.store.subscribe(FOLLOWED_PREFIXES, from, {
      event: (event) => this.loop.handle([event]),
      dropped: (error) => {
        this.#logger.warn(String(error));
        this.timer.after(200, () => void this.#subscribe(this.loop.at.position));
      },
    });
    this.isFollowing = true;
  }

  async stop(): Promise<void> {
    await this.#subscription?.close();
  }
}
