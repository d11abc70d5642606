import { randomUUID } from 'node:crypto';
import { SystemTimer, type Timer } from './clock.js';
import { Appends } from './eventstoredb-appends.js';
import { Connection } from './eventstoredb-connection.js';
import { isAbsent, isNowhere, logError } from './eventstoredb-errors.js';
import { Followed } from './eventstoredb-followed.js';
import type { ReadReq } from './eventstoredb-messages.js';
import { allRequest, streamRequest } from './eventstoredb-requests.js';
import type { ReadAnswer } from './eventstoredb-wire.js';
import {
  EventStore,
  type Appended,
  type Checkpoint,
  type Expected,
  type LogEvent,
  type NewEvent,
  type Subscriber,
  type Subscription,
} from './event-store.js';

/**
 * The log in EventStoreDB (21.10 or later). Appends and reads have a connection each, so that
 * neither is broken off with the other.
 */
export class EventStoreDb extends EventStore {
  readonly #writing: Connection;
  readonly #reading: Connection;
  readonly #appends: Appends;
  readonly #followed = new Set<Followed>();

  /** `url` is a connection string: `esdb://127.0.0.1:2113?tls=false`. */
  constructor(url: string, timer: Timer = new SystemTimer()) {
    super();
    this.#writing = new Connection(url);
    this.#reading = new Connection(url);
    this.#appends = new Appends(this.#writing, timer);
  }

  override append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended> {
    return this.#appends.append(stream, expected, events);
  }

  override async read(
    stream: string,
    from: number,
    limit = Number.MAX_SAFE_INTEGER,
  ): Promise<readonly LogEvent[]> {
    return limit > 0 ? this.#read(streamRequest(stream, from, limit), `read ${stream}`) : [];
  }

  override async last(stream: string): Promise<LogEvent | undefined> {
    const [last] = await this.#read(streamRequest(stream, 'end', 1), `read the end of ${stream}`);
    return last;
  }

  override async at(position: number): Promise<LogEvent | undefined> {
    try {
      const [event] = await this.#read(allRequest(position, 1), `read at ${position}`);
      return event?.position === position ? event : undefined;
    } catch (error) {
      // No event begins at this position.
      if (isNowhere(error)) return undefined;
      throw error;
    }
  }

  override async head(prefixes: readonly string[]): Promise<Checkpoint | undefined> {
    const [last] = await this.#read(allRequest('end', 1, prefixes), 'read the head of the log');
    return last && { position: last.position, eventId: last.id };
  }

  override async readAll(
    prefixes: readonly string[],
    after: number | undefined,
    limit: number,
  ): Promise<readonly LogEvent[]> {
    if (limit <= 0) return [];
    // The event at the position itself comes first, if it is of these streams.
    const request = allRequest(after ?? 'start', limit + 1, prefixes);
    const events = await this.#read(request, 'read the log');
    return events.filter(({ position }) => position !== after).slice(0, limit);
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const followed = new Followed(subscriber);
    this.#followed.add(followed);
    const close = async (): Promise<void> => {
      this.#followed.delete(followed);
      await followed.close();
    };
    try {
      await followed.begin(this.#reading, prefixes, after);
    } catch (error) {
      await close();
      throw error;
    }
    return { close };
  }

  override async keepLatest(stream: string): Promise<void> {
    const metadata = { id: randomUUID(), type: '$metadata', data: { $maxCount: 1 }, metadata: {} };
    await this.append(`$$${stream}`, 'any', [metadata]);
  }

  override async close(): Promise<void> {
    await Promise.all([...this.#followed].map((followed) => followed.close()));
    this.#followed.clear();
    this.#appends.close();
    await this.#writing.close();
    await this.#reading.close();
  }

  async #read(request: ReadReq, act: string): Promise<LogEvent[]> {
    const events: LogEvent[] = [];
    try {
      const call = await this.#reading.reads(request);
      await new Promise<void>((resolve, reject) => {
        call.on('data', (answer: ReadAnswer) => {
          if (typeof answer === 'object' && !('checkpoint' in answer)) events.push(answer);
        });
        call.once('end', resolve);
        call.on('error', reject);
      });
      return events;
    } catch (error) {
      if (isAbsent(error)) return [];
      throw logError(error, act);
    }
  }
}
