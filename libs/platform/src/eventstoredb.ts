import { randomUUID } from 'node:crypto';
import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  FORWARDS,
  START,
  type AllStreamResolvedEvent,
  type ResolvedEvent,
} from '@eventstore/db-client';
import { SystemTimer, type Timer } from './clock.js';
import { Appends } from './eventstoredb-appends.js';
import { isAbsent, isNowhere, logError } from './eventstoredb-errors.js';
import { Followed, logEventOf, placeOf } from './eventstoredb-followed.js';
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

/** Events a backwards search for a head asks for at first, and at most, in one read. */
const HEAD_PAGE = 8;
const HEAD_PAGE_MAX = 1_024;
/** Events beside the wanted ones that one page of the whole log may hold. */
const OTHERS_PER_PAGE = 32;

const isOf = (prefixes: readonly string[], { stream }: LogEvent): boolean =>
  prefixes.some((prefix) => stream.startsWith(prefix));

/**
 * The log in EventStoreDB. Appends and reads have a connection each, so that neither is broken off
 * with the other.
 */
export class EventStoreDb extends EventStore {
  readonly #writing: EventStoreDBClient;
  readonly #appends: Appends;
  readonly #reading: EventStoreDBClient;
  readonly #followed = new Set<Followed>();

  /** `url` is a connection string: `esdb://127.0.0.1:2113?tls=false`. */
  constructor(url: string, timer: Timer = new SystemTimer()) {
    super();
    this.#writing = EventStoreDBClient.connectionString(url);
    this.#appends = new Appends(this.#writing, timer);
    this.#reading = EventStoreDBClient.connectionString(url);
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
    if (limit <= 0) return [];
    return this.#page(stream, { fromRevision: BigInt(from), maxCount: limit });
  }

  override async last(stream: string): Promise<LogEvent | undefined> {
    const options = { fromRevision: END, direction: BACKWARDS, maxCount: 1 } as const;
    const [last] = await this.#page(stream, options);
    return last;
  }

  override async at(position: number): Promise<LogEvent | undefined> {
    try {
      const [event] = await this.#all({ fromPosition: placeOf(position), maxCount: 1 });
      return event?.position === position ? event : undefined;
    } catch (error) {
      // No event begins at this position.
      if (isNowhere(error)) return undefined;
      throw logError(error, `read at ${position}`);
    }
  }

  override async head(prefixes: readonly string[]): Promise<Checkpoint | undefined> {
    try {
      let from: number | undefined;
      for (let maxCount = HEAD_PAGE; ; maxCount = Math.min(2 * maxCount, HEAD_PAGE_MAX)) {
        const fromPosition = from === undefined ? END : placeOf(from);
        const page = await this.#all({ direction: BACKWARDS, fromPosition, maxCount });
        const last = page.find((event) => isOf(prefixes, event));
        if (last) return { position: last.position, eventId: last.id };
        if (page.length < maxCount) return undefined;
        from = page.at(-1)?.position;
      }
    } catch (error) {
      throw logError(error, 'read the head of the log');
    }
  }

  override async readAll(
    prefixes: readonly string[],
    after: number | undefined,
    limit: number,
  ): Promise<readonly LogEvent[]> {
    const found: LogEvent[] = [];
    try {
      for (let from = after; found.length < limit;) {
        const maxCount = limit - found.length + OTHERS_PER_PAGE;
        const fromPosition = from === undefined ? START : placeOf(from);
        const page = await this.#all({ direction: FORWARDS, fromPosition, maxCount });
        // A page begins with the event that the one before ended with.
        found.push(...page.filter((at) => at.position !== from && isOf(prefixes, at)));
        if (page.length < maxCount) break;
        from = page.at(-1)?.position;
      }
    } catch (error) {
      throw logError(error, 'read the log');
    }
    return found.slice(0, limit);
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const followed = new Followed(this.#reading, { prefixes, after }, subscriber);
    this.#followed.add(followed);
    await followed.begin();
    return {
      close: async () => {
        this.#followed.delete(followed);
        await followed.close();
      },
    };
  }

  override async keepLatest(stream: string): Promise<void> {
    const metadata = { id: randomUUID(), type: '$metadata', data: { $maxCount: 1 }, metadata: {} };
    await this.append(`$$${stream}`, 'any', [metadata]);
  }

  override async close(): Promise<void> {
    for (const followed of this.#followed) await followed.close();
    this.#followed.clear();
    this.#appends.close();
    await this.#writing.dispose();
    await this.#reading.dispose();
  }

  async #all(options: Parameters<EventStoreDBClient['readAll']>[0]): Promise<LogEvent[]> {
    const events: LogEvent[] = [];
    for await (const { event } of this.#reading.readAll(
      options,
    ) as AsyncIterable<AllStreamResolvedEvent>)
      if (event) events.push(logEventOf(event));
    return events;
  }

  async #page(
    stream: string,
    options: Parameters<EventStoreDBClient['readStream']>[1],
  ): Promise<readonly LogEvent[]> {
    const events: LogEvent[] = [];
    try {
      const page: AsyncIterable<ResolvedEvent> = this.#reading.readStream(stream, options);
      for await (const { event } of page) if (event) events.push(logEventOf(event));
      return events;
    } catch (error) {
      if (isAbsent(error)) return [];
      throw logError(error, `read ${stream}`);
    }
  }
}
