import { Logger } from '@nestjs/common';
import type { ScriptaEvent } from '#domain';
import { LogUnavailable, type NewEvent } from '#platform';
import type { Ports } from './ports.js';
import { COMMAND_DEADLINE_MS } from './streams.js';

/** Events of one append: half a MiB. */
const EVENTS_PER_APPEND_MAX = 8;
/** Pause before rows that met an outage are tried again. */
const OUTAGE_PAUSE_MS = 200;

/** Rows that wait for the next tick, by stream; of one register only the latest. */
export type WaitingRows<Row> = Readonly<{
  size: number;
  /** Streams that have rows to append. */
  streams: readonly string[];
  /** Takes a stream's rows out; they are to be `kept` or `lost` afterwards. */
  take: (stream: string) => readonly Row[];
  kept: (rows: readonly Row[]) => void;
  lost: (rows: readonly Row[]) => void;
}>;

/** What a tick's rows become. */
export type Made<Row> = Readonly<{
  /** Rows of one event: at most 64 KiB (design decision 5). */
  rowsPerEvent: number;
  eventOf: (rows: readonly Row[], at: string) => ScriptaEvent;
}>;

type Waiter = Readonly<{ resolve: (position: number) => void; reject: (error: unknown) => void }>;

/**
 * Brings registers to the log: what came within a tick goes out as one event per stream, appended
 * with any revision, so that nothing is loaded. A stream's next tick waits for the one before.
 */
export class Ticks<Row> {
  readonly #logger = new Logger('Ticks');
  readonly #waiters = new Map<string, Waiter[]>();
  /** Streams whose rows are on their way. */
  readonly #appending = new Map<string, Promise<void>>();
  #isTicking = false;
  #isStopping = false;

  constructor(
    private readonly ports: Ports,
    private readonly rows: WaitingRows<Row>,
    private readonly made: Made<Row>,
  ) {}

  /** Resolves with the place in the log of what waits for a stream now; the row is there already. */
  kept(stream: string): Promise<number> {
    return new Promise((resolve, rejected) => {
      const cancel = this.ports.timer.after(COMMAND_DEADLINE_MS, () =>
        rejected(new LogUnavailable('The log was away for as long as this could wait.')),
      );
      const waiter = {
        resolve: (position: number) => {
          cancel();
          resolve(position);
        },
        reject: (error: unknown) => {
          cancel();
          rejected(error);
        },
      };
      const waiters = this.#waiters.get(stream);
      if (waiters) waiters.push(waiter);
      else this.#waiters.set(stream, [waiter]);
      this.tick();
    });
  }

  /** What waits now goes out at the end of this tick. */
  tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.ports.timer.after(this.ports.config.RECEIPT_TICK_MS, () => {
      this.#isTicking = false;
      for (const stream of this.rows.streams) this.#appendStream(stream);
      if (this.rows.size > 0) this.tick();
    });
  }

  /** Appends what waits now, instead of at the tick. */
  async flush(): Promise<void> {
    while (this.rows.size > 0 || this.#appending.size > 0) {
      for (const stream of this.rows.streams) this.#appendStream(stream);
      await Promise.all(this.#appending.values());
    }
  }

  /** Brings the last tick to the log before the process ends; waits for no log that is away. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.flush();
  }

  #appendStream(stream: string): void {
    if (this.#appending.has(stream)) return;
    const rows = this.rows.take(stream);
    const waiters = this.#waiters.get(stream) ?? [];
    this.#waiters.delete(stream);
    const appending = this.#bringFor(stream, rows, waiters);
    this.#appending.set(stream, appending);
  }

  async #bringFor(stream: string, rows: readonly Row[], waiters: readonly Waiter[]): Promise<void> {
    try {
      const position = await this.#bring(stream, rows);
      this.rows.kept(rows);
      for (const { resolve } of waiters) resolve(position);
    } catch (error) {
      this.rows.lost(rows);
      this.#logger.error(`${rows.length} rows were lost on ${stream}: ${String(error)}`);
      for (const waiter of waiters) waiter.reject(error);
    } finally {
      this.#appending.delete(stream);
    }
  }

  async #bring(stream: string, rows: readonly Row[]): Promise<number> {
    const { rowsPerEvent, eventOf } = this.made;
    const at = this.ports.clock.iso();
    const sealing: Promise<NewEvent>[] = [];
    for (let first = 0; first < rows.length; first += rowsPerEvent) {
      const id = this.ports.random.uuid();
      const envelope = { id, correlationId: id, causationId: id };
      const event = eventOf(rows.slice(first, first + rowsPerEvent), at);
      sealing.push(this.ports.codec.encode(event, envelope));
    }
    const events = await Promise.all(sealing);
    let position = -1;
    for (let first = 0; first < events.length; first += EVENTS_PER_APPEND_MAX)
      position = await this.#persist(stream, events.slice(first, first + EVENTS_PER_APPEND_MAX));
    return position;
  }

  /** Appends, however long the log is away: a row twice in the log is one row to the folds. */
  async #persist(stream: string, events: readonly NewEvent[]): Promise<number> {
    for (;;) {
      try {
        return (await this.ports.store.append(stream, 'any', events)).position;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || this.#isStopping) throw error;
      }
      await this.ports.timer.sleep(OUTAGE_PAUSE_MS);
    }
  }
}
