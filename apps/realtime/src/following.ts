import { Inject, Injectable, Logger } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { SubscriptionRunner, type Run } from '#platform';
import { DeliveryLoop, FOLLOWED_PREFIXES } from './loop.js';

/** Pause before the log is asked for its end again, while it is away at the start (ms). */
const BEGIN_PAUSE_MS = 500;

/** Keeps the delivery loop on the log, from its end at the start of the process on. */
@Injectable()
export class Following {
  readonly #logger = new Logger('Following');
  readonly #runner: SubscriptionRunner;
  #run: Run | undefined;

  constructor(
    private readonly loop: DeliveryLoop,
    @Inject(PORTS) private readonly ports: Ports,
  ) {
    const log = (message: string) => this.#logger.warn(message);
    this.#runner = new SubscriptionRunner({ ...ports, log });
  }

  /** Whether facts arrive. */
  get isFollowing(): boolean {
    return this.#run !== undefined;
  }

  /** Follows from the log's end; waits for a log that is not there yet. */
  async start(): Promise<void> {
    const from = await this.#begin();
    const run = await this.#runner.run({
      prefixes: [...FOLLOWED_PREFIXES],
      from,
      consumer: { batch: (events) => this.loop.handle(events) },
    });
    this.#run = run;
    // A loop that has ended delivers nothing: unhandled, it ends the process, which begins anew.
    void run.finished;
  }

  async stop(): Promise<void> {
    const run = this.#run;
    this.#run = undefined;
    this.loop.stop();
    await run?.stop();
  }

  async #begin(): Promise<number | undefined> {
    for (;;) {
      try {
        return await this.loop.begin();
      } catch (error) {
        this.#logger.warn(`The log cannot be reached yet: ${String(error)}`);
      }
      await this.ports.timer.sleep(BEGIN_PAUSE_MS);
    }
  }
}
