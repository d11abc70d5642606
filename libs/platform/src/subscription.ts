import type { Cancel, Clock, Random, Timer } from './clock.js';
import type { Checkpoint, EventStore, LogEvent, Subscriber, Subscription } from './event-store.js';
import { Inbox, type Consumer } from './inbox.js';
import { isPlanted } from './planted-bugs.js';
import { tally } from './tallies.js';

export type { Consumer } from './inbox.js';

/** Events handed over at once: enough that a database's bulk is worth its round trip. */
export const BATCH_EVENTS_MAX = 500;
/** First and longest wait before subscribing again; full jitter (AWS, "Exponential Backoff"). */
const BACKOFF_MS = 100;
const BACKOFF_MS_MAX = 5_000;
/** Silence after which the log is asked whether there should have been something. */
const SILENCE_MS_MAX = 30_000;
/** How often silence is looked for: one is found at most this much late. */
const LOOK_MS = 10_000;

/** The log has another event where the checkpoint says: it was restored from a backup. */
export class RestoredLog extends Error {
  override readonly name = 'RestoredLog';
}

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

const asError = (error: unknown): Error =>
  error instanceof Error
    ? error
    : new Error('Something that is no Error was thrown.', { cause: error });

/** Follows the log for one consumer, through every kind of drop. */
class Follower {
  readonly #ports: RunnerPorts;
  readonly #prefixes: readonly string[];
  readonly #inbox: Inbox;
  readonly #finish: (error?: Error) => void;
  readonly #cancelLooks: Cancel;
  /** Everything up to here has arrived; a new subscription begins after it. */
  #arrived: number | undefined;
  #subscription: Subscription | undefined;
  /** Tells the current subscription from those that were dropped and still speak. */
  #generation = 0;
  #attempts = 0;
  #heardAtMs: number;
  #isAsking = false;
  #isStopped = false;
  #cancelRetry: Cancel | undefined;
  #begun: (() => void) | undefined;

  constructor(ports: RunnerPorts, following: Following, finish: (error?: Error) => void) {
    const { prefixes, from, consumer, batchMax = BATCH_EVENTS_MAX } = following;
    this.#ports = ports;
    this.#prefixes = prefixes;
    this.#finish = finish;
    this.#arrived = typeof from === 'object' ? from.position : from;
    this.#inbox = new Inbox(consumer, batchMax, (error) => this.#end(asError(error)));
    this.#heardAtMs = ports.clock.monotonic();
    this.#cancelLooks = ports.timer.every(LOOK_MS, () => void this.#look());
  }

  /** Subscribes; resolves when that has succeeded, or will be tried again. */
  begin(): Promise<void> {
    return new Promise((resolve) => {
      this.#begun = resolve;
      void this.#subscribe().finally(resolve);
    });
  }

  async stop(): Promise<void> {
    this.#end();
    await this.#leave();
    await this.#inbox.close();
  }

  async #subscribe(): Promise<void> {
    this.#generation += 1;
    this.#cancelRetry = undefined;
    this.#isAsking = false;
    this.#heardAtMs = this.#ports.clock.monotonic();
    const generation = this.#generation;
    const isCurrent = (): boolean => generation === this.#generation && !this.#isStopped;
    try {
      const subscriber = this.#subscriber(isCurrent);
      if (isPlanted('gap-on-resubscribe') && generation > 1) await this.#leaveGap();
      const made = await this.#ports.store.subscribe(this.#prefixes, this.#arrived, subscriber);
      if (isCurrent()) this.#subscription = made;
      else await made.close();
    } catch (error) {
      if (isCurrent()) this.#again(asError(error));
    }
  }

  /** Planted: what came while there was no subscription is left out. */
  async #leaveGap(): Promise<void> {
    const head = await this.#ports.store.head(this.#prefixes);
    this.#arrived = head?.position ?? this.#arrived;
  }

  #subscriber(isCurrent: () => boolean): Subscriber {
    return {
      event: (event) => (isCurrent() ? this.#receive(event) : undefined),
      checkpoint: (position) => {
        if (!isCurrent()) return;
        this.#heard();
        this.#arrived = Math.max(this.#arrived ?? -1, position);
        this.#inbox.scanned(position);
      },
      caughtUp: () => {
        if (!isCurrent()) return;
        this.#heard();
        this.#inbox.caughtUp();
      },
      dropped: (error) => {
        if (isCurrent()) this.#again(error);
      },
    };
  }

  #receive(event: LogEvent): void | Promise<void> {
    this.#heard();
    // A log that delivers something twice, or goes back, does not make the consumer do so.
    if (this.#arrived !== undefined && event.position <= this.#arrived) return undefined;
    this.#arrived = event.position;
    return this.#inbox.push(event);
  }

  #heard(): void {
    this.#heardAtMs = this.#ports.clock.monotonic();
    this.#attempts = 0;
  }

  #again(error: Error): void {
    const { random, timer, log } = this.#ports;
    this.#generation += 1;
    this.#begun?.();
    void this.#leave();
    const waitMs = random.integer(Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#attempts)) + 1;
    this.#attempts += 1;
    tally('retried', 'subscription', this.#prefixes.join(' '));
    const from = this.#arrived ?? 'the beginning';
    log?.(`The log was lost (${error.message}); again after ${from} in ${waitMs} ms.`);
    this.#cancelRetry = timer.after(waitMs, () => void this.#subscribe());
  }

  async #leave(): Promise<void> {
    const left = this.#subscription;
    this.#subscription = undefined;
    try {
      await left?.close();
    } catch (error) {
      this.#ports.log?.(`A dropped subscription did not close: ${asError(error).message}`);
    }
  }

  /** A connection can die without a word: then the log has something that was never delivered. */
  async #look(): Promise<void> {
    const silentMs = this.#ports.clock.monotonic() - this.#heardAtMs;
    if (this.#isStopped || this.#cancelRetry || silentMs < SILENCE_MS_MAX) return;
    if (!this.#inbox.isIdle && this.#subscription) return;
    if (!this.#subscription || this.#isAsking) {
      this.#again(new Error(`no answer for ${Math.round(silentMs)} ms`));
      return;
    }
    await this.#ask(this.#generation);
  }

  async #ask(generation: number): Promise<void> {
    this.#isAsking = true;
    try {
      const head = await this.#ports.store.head(this.#prefixes);
      if (generation !== this.#generation || this.#isStopped) return;
      const isMissing = head !== undefined && head.position > (this.#arrived ?? -1);
      if (isMissing) this.#again(new Error('nothing came, though the log went on'));
      else this.#heardAtMs = this.#ports.clock.monotonic();
    } catch (error) {
      if (generation === this.#generation && !this.#isStopped) this.#again(asError(error));
    } finally {
      if (generation === this.#generation) this.#isAsking = false;
    }
  }

  #end(error?: Error): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelLooks();
    this.#cancelRetry?.();
    if (error) void this.#leave();
    this.#finish(error);
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
      if (error) reject(error);
      else resolve();
    });
    await follower.begin();
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
