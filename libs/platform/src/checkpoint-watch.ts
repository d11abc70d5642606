import type { Cancel, Clock, Timer } from './clock.js';

/**
 * How often the checkpoints are looked at while reads wait (ms): a batch of the projector apart.
 */
const LOOK_MS = 5;
/** Waiting reads that have waited for long look less often (ms). */
const LOOK_MS_MAX = 50;

type Waiter = Readonly<{
  views: readonly string[];
  position: number;
  settle: (reached: boolean) => void;
}>;

/**
 * Waits for checkpoints: however many reads of a process wait, one question at a time is asked for
 * all of them.
 */
export class CheckpointWatch {
  /** As last seen. They only grow, so an old one is only ever too careful. */
  readonly #seen = new Map<string, number>();
  readonly #waiters = new Set<Waiter>();
  #looking: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #watching = false;
  #wait = LOOK_MS;

  constructor(
    private readonly ask: () => Promise<ReadonlyMap<string, number>>,
    private readonly clock: Clock,
    private readonly timer: Timer,
  ) {}

  /** Where a view stands now: the question is asked after this call, with those of others. */
  async now(view: string): Promise<number> {
    if (this.#looking) await (this.#next ??= this.#afterThis(this.#looking));
    else await this.#look();
    return this.#seen.get(view) ?? -1;
  }

  /** True once all views have reached the position, false when they have not in time. */
  reached(views: readonly string[], position: number, withinMs: number): Promise<boolean> {
    if (this.#isReached(views, position)) return Promise.resolve(true);
    return new Promise((resolve) => {
      let expiry: Cancel | undefined;
      const settle = (isReached: boolean) => {
        expiry?.();
        this.#waiters.delete(waiter);
        resolve(isReached);
      };
      const waiter: Waiter = { views, position, settle };
      // Its own timer: a database that does not answer must not hold up the deadline.
      expiry = this.timer.after(withinMs, () => settle(false));
      this.#waiters.add(waiter);
      this.#wait = LOOK_MS;
      if (!this.#watching) void this.#watch();
    });
  }

  #isReached(views: readonly string[], position: number): boolean {
    return views.every((view) => (this.#seen.get(view) ?? -1) >= position);
  }

  async #watch(): Promise<void> {
    this.#watching = true;
    while (this.#waiters.size > 0) {
      const began = this.clock.monotonic();
      await this.#look().catch(() => {
        // Not reached as far as one can tell; whoever waits is told so at their deadline.
      });
      for (const { views, position, settle } of this.#waiters)
        if (this.#isReached(views, position)) settle(true);
      if (this.#waiters.size === 0) break;
      await this.timer.sleep(Math.max(1, this.#wait - (this.clock.monotonic() - began)));
      this.#wait = Math.min(this.#wait * 1.2, LOOK_MS_MAX);
    }
    this.#watching = false;
  }

  async #afterThis(looking: Promise<void>): Promise<void> {
    await looking.catch(() => {
      // Its own askers hear of it.
    });
    this.#next = undefined;
    await this.#look();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookNow().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookNow(): Promise<void> {
    for (const [view, position] of await this.ask()) this.#seen.set(view, position);
  }
}
