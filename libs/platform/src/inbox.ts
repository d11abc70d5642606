import type { LogEvent } from './event-store.js';

/** What follows the log. Calls never overlap; the next batch gathers while one is handled. */
export type Consumer = Readonly<{
  /**
   * Events in order, without a gap or a repeat; `scannedTo` is the position all were found up to.
   */
  batch: (events: readonly LogEvent[], scannedTo: number) => Promise<void>;
  /** All that stood in the log when a subscription began has been handled. */
  caughtUp?: () => void | Promise<void>;
}>;

/** What has arrived and is not handled yet: hands it to the consumer, one batch at a time. */
export class Inbox {
  readonly #consumer: Consumer;
  readonly #eventsMax: number;
  readonly #failed: (error: unknown) => void;
  readonly #waiting: LogEvent[] = [];
  #scanned = -1;
  #told = -1;
  /** Once this place is handled, the consumer has caught up. */
  #caughtUpAt: number | undefined;
  #isClosed = false;
  #handling: Promise<void> | undefined;
  #room: (() => void)[] = [];

  constructor(consumer: Consumer, eventsMax: number, failed: (error: unknown) => void) {
    this.#consumer = consumer;
    this.#eventsMax = eventsMax;
    this.#failed = failed;
  }

  /** Whether everything that arrived was handled. */
  get isIdle(): boolean {
    return this.#handling === undefined;
  }

  /** Takes an event; where it is full, the promise resolves when there is room again. */
  push(event: LogEvent): void | Promise<void> {
    this.#waiting.push(event);
    this.#scanned = event.position;
    this.#wake();
    if (this.#waiting.length < this.#eventsMax) return undefined;
    return new Promise((resolve) => {
      this.#room.push(resolve);
    });
  }

  /** The log was scanned to here. */
  scanned(position: number): void {
    this.#scanned = Math.max(this.#scanned, position);
    this.#wake();
  }

  caughtUp(): void {
    this.#caughtUpAt = this.#scanned;
    this.#wake();
  }

  /** Hands nothing more over; resolves when the batch in hand is done. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#makeRoom();
    await this.#handling;
  }

  #wake(): void {
    this.#handling ??= this.#handleAll();
  }

  async #handleAll(): Promise<void> {
    try {
      await this.#handle();
    } catch (error) {
      this.#isClosed = true;
      this.#makeRoom();
      this.#failed(error);
    }
    this.#handling = undefined;
    // What arrived beside the end of the last batch.
    if (this.#isWanted()) this.#wake();
  }

  #isWanted(): boolean {
    return !this.#isClosed && (this.#scanned > this.#told || this.#caughtUpAt !== undefined);
  }

  async #handle(): Promise<void> {
    // What arrives in the same turn of the event loop belongs to the same batch.
    await Promise.resolve();
    while (this.#isWanted()) {
      if (this.#scanned > this.#told) await this.#handOver();
      if (this.#isClosed || this.#caughtUpAt === undefined || this.#told < this.#caughtUpAt)
        continue;
      this.#caughtUpAt = undefined;
      await this.#consumer.caughtUp?.();
    }
  }

  async #handOver(): Promise<void> {
    // Each cut lets one event more in than there is room for, hence the bound.
    const events = this.#waiting.splice(0, this.#eventsMax);
    const isAll = this.#waiting.length === 0;
    const scannedTo = isAll ? this.#scanned : (events.at(-1)?.position ?? this.#told);
    if (this.#waiting.length < this.#eventsMax) this.#makeRoom();
    await this.#consumer.batch(events, scannedTo);
    this.#told = scannedTo;
  }

  #makeRoom(): void {
    const room = this.#room;
    this.#room = [];
    for (const resolve of room) resolve();
  }
}
