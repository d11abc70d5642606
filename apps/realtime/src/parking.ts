import { Inject, Injectable, Logger } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { nameOf, PARKED, tally, type LogEvent, type Parked } from '#platform';

/** Under this name what cannot be delivered is parked, beside the views' own. */
export const READER = 'realtime';
/** How often it is asked whether what is parked may go on, and tried to store it (ms). */
const LOOK_MS = 1_000;
/** Characters of an error's stack that are kept for an operator. */
const STACK_CHARS_MAX = 4_000;
/** Streams of which each event is news for itself: one that is missing holds nothing up. */
const ALONE_PREFIX = 'receipts-';

const keyOf = (stream: string): string => `${READER}:${stream}`;

/**
 * Conversations of which an event could not be delivered: nothing more of them is told live, as
 * their views stand still too, since what could not be read may have been a removal.
 */
@Injectable()
export class Parking {
  readonly #logger = new Logger('Parking');
  /** By stream: the position from which on it waits. */
  readonly #streams = new Map<string, number>();
  readonly #toStore: Parked[] = [];
  #isLooking = false;
  #isStopped = false;

  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** Streams that wait here. */
  get count(): number {
    return this.#streams.size;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Learns what was parked before this process began. */
  async begin(): Promise<void> {
    const filter = { view: READER };
    for (const { stream, position } of await this.ports.operations.find<Parked>(PARKED, { filter }))
      this.#streams.set(stream, position);
    if (this.#streams.size > 0) this.#lookLater();
  }

  /** Whether an event comes after one of its stream that could not be delivered. */
  waits({ stream, position }: Pick<LogEvent, 'stream' | 'position'>): boolean {
    const from = this.#streams.get(stream);
    return from !== undefined && position >= from && !stream.startsWith(ALONE_PREFIX);
  }

  /** From this event on the stream waits; it is stored beside, and nobody waits for that. */
  park({ id: eventId, stream, position, revision, type }: LogEvent, cause: unknown): void {
    if (this.waits({ stream, position })) return;
    this.#streams.set(stream, position);
    tally('parked', nameOf(cause), READER);
    const error = cause instanceof Error ? cause.message : String(cause);
    const stack = (cause instanceof Error ? (cause.stack ?? '') : '').slice(0, STACK_CHARS_MAX);
    const at = this.ports.clock.iso();
    const where = { view: READER, stream, eventId, position, revision, type };
    this.#toStore.push({ ...where, error, stack, at, lastAt: at, attempts: 1, waiting: 0 });
    this.#logger.error(
      `PARKED ${stream} for ${READER}: ${type} ${eventId} at ${position} cannot be delivered ` +
        `(${error}). Others go on; once it can be, run: npm run parked -- replay ${stream}`,
    );
    this.#lookLater();
  }

  /** Asks no more. */
  stop(): void {
    this.#isStopped = true;
  }

  #lookLater(): void {
    if (this.#isLooking || this.#isStopped) return;
    this.#isLooking = true;
    this.ports.timer.after(LOOK_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    try {
      await this.#store();
      for (const stream of this.#streams.keys()) {
        const isStored = (await this.ports.operations.get(PARKED, keyOf(stream))) !== undefined;
        if (isStored || this.#toStore.some((one) => one.stream === stream)) continue;
        this.#streams.delete(stream);
        this.#logger.warn(`${stream} goes on.`);
      }
    } catch (error) {
      // The next look comes soon.
      this.#logger.warn(`What is parked cannot be stored or read just now: ${String(error)}`);
    }
    this.#isLooking = false;
    if (this.#streams.size > 0) this.#lookLater();
  }

  async #store(): Promise<void> {
    const { operations } = this.ports;
    for (let one = this.#toStore[0]; one; one = this.#toStore[0]) {
      const key = keyOf(one.stream);
      const before = await operations.get<Parked>(PARKED, key);
      const { at = one.at, attempts = 0 } = before ?? {};
      await operations.put(PARKED, key, { ...one, at, attempts: attempts + 1 });
      this.#toStore.shift();
    }
  }
}
