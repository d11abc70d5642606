import type { Cancel, Clock, Random, Timer } from './clock.js';
import type { Checkpoint, EventStore, LogEvent, Subscription } from './event-store.js';

/** Events handed over at once: enough that a database's bulk is worth its round trip. */
export const BATCH_EVENTS_MAX = 500;
/** First and longest wait before subscribing again (ms), with full jitter (AWS, "Exponential Backoff"). */
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 5_000;
/** Silence after which the log is asked whether there should have been something (finding T13). */
const SILENCE_MS_MAX = 30_000;

/** The log has another event where the checkpoint says: it was restored from a backup. */
export class RestoredLog extends Error {
  override readonly name = 'RestoredLog';
}

/** What follows the log. Calls never overlap; the next batch gathers while one is handled. */
export type Consumer = Readonly<{
  /** Events in order, without a gap or a repeat; `scannedTo` is the position all were found up to. */
  batch: (events: readonly LogEvent[], scannedTo: number) => Promise<void>;
  /** All that stood in the log when the subscription began has been handled. */
  caughtUp?: () => void | Promise<void>;
}>;

/** Where to begin and what to follow. */
export type Following = Readonly<{
  /** Beginnings of the names of the streams that are followed. */
  prefixes: readonly string[];
  /** After this place; from the beginning of the log if there is none. */
  from: Checkpoint | number | undefined;
  consumer: Consumer;
  batchMax?: number;
}>;

/** What the runner stands on; `log` hears of each drop. */
export type RunnerPorts = Readonly<{
  store: EventStore;
  clock: Clock;
  random: Random;
  timer: Timer;
  log?: (message: string) => void;
}>;

/** A running consumer. `finished` rejects when it failed, and resolves after `stop`. */
export type Run = Readonly<{ stop: () => Promise<void>; finished: Promise<void> }>;

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const isPast = (head: Checkpoint | undefined, received: number | undefined): boolean =>
  head !== undefined && head.position > (received ?? -1);

/** Follows the log for one consumer, through every kind of drop. */
class Follower {
  readonly #ports: RunnerPorts;
  readonly #following: Following;
  readonly #batchMax: number;
  /** Everything up to here has been received; a new subscription begins after it. */
  #received: number | undefined;
  #scanned = -1;
  /** Everything up to here has been handed over. */
  #told = -1;
  readonly #waiting: LogEvent[] = [];
  #handling: Promise<void> | undefined;
  /** Once this place is handed over, the consumer has caught up. */
  #caughtUpAt: number | undefined;
  #subscription: Subscription | undefined;
  /** Tells the current subscription from those that were dropped and still speak. */
  #generation = 0;
  #attempts = 0;
  #heardAt: number;
  #stopped = false;
  #cancelRetry: Cancel | undefined;
  #room: (() => void) | undefined;
  readonly #cancelWatch: Cancel;
  readonly #finish: (error?: unknown) => void;

  constructor(ports: RunnerPorts, following: Following, finish: (error?: unknown) => void) {
    this.#ports = ports;
    this.#following = following;
    this.#batchMax = following.batchMax ?? BATCH_EVENTS_MAX;
    const { from } = following;
    this.#received = typeof from === 'object' ? from.position : from;
    this.#heardAt = ports.clock.monotonic();
    this.#finish = finish;
    this.#cancelWatch = ports.timer.every(SILENCE_MS_MAX / 2, () => void this.#watch());
  }

  async subscribe(): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    const current = (): boolean => this.#isCurrent(generation);
    try {
      const subscription = await this.#ports.store.subscribe(
        this.#following.prefixes,
        this.#received,
        {
          event: (event) => (current() ? this.#receive(event) : undefined),
          checkpoint: (position) => {
            if (current()) this.#reach(position);
          },
          caughtUp: () => {
            if (current()) this.#catchUp();
          },
          dropped: (error) => {
            if (current()) this.#again(error);
          },
        },
      );
      if (current()) this.#subscription = subscription;
      else await subscription.close();
    } catch (error) {
      if (current()) this.#again(error);
    }
  }

  #receive(event: LogEvent): void | Promise<void> {
    this.#heard();
    this.#received = event.position;
    this.#scanned = event.position;
    this.#waiting.push(event);
    this.#handle();
    if (this.#waiting.length < this.#batchMax) return undefined;
    // The log waits until the consumer has taken what is here: memory stays bounded.
    return new Promise((resolve) => {
      this.#room = resolve;
    });
  }

  #reach(position: number): void {
    this.#heard();
    this.#received = Math.max(this.#received ?? -1, position);
    this.#scanned = Math.max(this.#scanned, position);
    this.#handle();
  }

  #catchUp(): void {
    this.#heard();
    this.#caughtUpAt = this.#scanned;
    this.#handle();
  }

  #heard(): void {
    this.#heardAt = this.#ports.clock.monotonic();
    this.#attempts = 0;
  }

  #handle(): void {
    this.#handling ??= this.#handleAll()
      .catch((error: unknown) => this.#end(error))
      .finally(() => {
        this.#handling = undefined;
        // What came between the last look and this turn has called in vain.
        if (this.#hasWork) this.#handle();
      });
  }

  get #hasWork(): boolean {
    const isBehind = this.#waiting.length > 0 || this.#scanned > this.#told;
    return !this.#stopped && (isBehind || this.#caughtUpAt !== undefined);
  }

  async #handleAll(): Promise<void> {
    // What arrives in the same turn of the event loop belongs to the same batch.
    await Promise.resolve();
    const { consumer } = this.#following;
    while (this.#hasWork) {
      if (this.#caughtUpAt === undefined || this.#told < this.#caughtUpAt) {
        await this.#handOver(consumer);
        continue;
      }
      this.#caughtUpAt = undefined;
      await consumer.caughtUp?.();
    }
  }

  async #handOver(consumer: Consumer): Promise<void> {
    const events = this.#waiting.splice(0, this.#batchMax);
    // Where more waits, only what is handed over is known to be complete.
    this.#told = this.#waiting.length > 0 ? (events.at(-1)?.position ?? -1) : this.#scanned;
    if (this.#waiting.length < this.#batchMax) this.#room?.();
    await consumer.batch(events, this.#told);
  }

  #again(error: unknown): void {
    const { random, timer, log } = this.#ports;
    this.#generation += 1;
    this.#leave();
    const longest = Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#attempts);
    const wait = random.integer(longest) + 1;
    this.#attempts += 1;
    const place = this.#received ?? 'the beginning';
    log?.(`The subscription was dropped (${reasonOf(error)}); from ${place} again in ${wait} ms.`);
    this.#cancelRetry = timer.after(wait, () => void this.subscribe());
  }

  /** A connection can die without a word: then the log has something that was never delivered. */
  async #watch(): Promise<void> {
    const { clock, store } = this.#ports;
    if (!this.#subscription || clock.monotonic() - this.#heardAt < SILENCE_MS_MAX) return;
    const generation = this.#generation;
    try {
      const head = await store.head(this.#following.prefixes);
      if (!this.#isCurrent(generation)) return;
      const isBehind = this.#waiting.length === 0 && isPast(head, this.#received);
      if (isBehind) this.#again(new Error('nothing came, though the log went on'));
      else this.#heardAt = clock.monotonic();
    } catch (error) {
      if (this.#isCurrent(generation)) this.#again(error);
    }
  }

  #isCurrent(generation: number): boolean {
    return generation === this.#generation && !this.#stopped;
  }

  #end(error?: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#cancelWatch();
    this.#cancelRetry?.();
    this.#room?.();
    this.#finish(error);
    // A consumer that failed has nobody who stops it.
    if (error !== undefined) this.#leave();
  }

  #leave(): void {
    const left = this.#subscription;
    this.#subscription = undefined;
    left?.close().catch((error: unknown) => {
      this.#ports.log?.(`A subscription was gone before it was closed (${reasonOf(error)}).`);
    });
  }

  async stop(): Promise<void> {
    const handling = this.#handling;
    this.#end();
    await this.#subscription?.close();
    this.#subscription = undefined;
    await handling;
  }
}

/** Runs consumers of the log: catch-up, then live, in order, without a gap or a repeat. */
export class SubscriptionRunner {
  readonly #ports: RunnerPorts;

  constructor(ports: RunnerPorts) {
    this.#ports = ports;
  }

  /** Begins after `from`. Throws `RestoredLog` if the log has another event there. */
  async run(following: Following): Promise<Run> {
    const { from } = following;
    if (typeof from === 'object') await this.#verify(from);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const follower = new Follower(this.#ports, following, (error) => {
      if (error === undefined) resolve();
      else reject(error instanceof Error ? error : new Error(reasonOf(error)));
    });
    await follower.subscribe();
    return { stop: () => follower.stop(), finished: promise };
  }

  async #verify({ position, eventId }: Checkpoint): Promise<void> {
    const found = await this.#ports.store.at(position);
    if (found?.id === eventId) return;
    throw new RestoredLog(
      `The log has ${found ? `event ${found.id}` : 'no event'} at ${position}, where ${eventId} was ` +
        'seen before: it was restored from a backup. Rebuild the read models: npm run rebuild.',
    );
  }
}
