import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  FORWARDS,
  jsonEvent,
  NO_STREAM,
  START,
  type AllStreamResolvedEvent,
  type ReadAllOptions,
  type ReadStreamOptions,
  type RecordedEvent,
  type ResolvedEvent,
} from '@eventstore/db-client';
import { Followed } from './eventstoredb-followed.js';
import { isAbsent, isNowhere, logError } from './eventstoredb-errors.js';
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

const isOf = (prefixes: readonly string[], stream: string): boolean =>
  prefixes.some((prefix) => stream.startsWith(prefix));

const placeOf = (position: number) => ({ commit: BigInt(position), prepare: BigInt(position) });

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** The event as the platform knows it. Positions stay exact up to 8 PiB of log. */
export const logEventOf = (event: RecordedEvent): LogEvent => ({
  id: event.id,
  stream: event.streamId,
  revision: Number(event.revision),
  position: Number(event.position?.commit ?? -1),
  type: event.type,
  data: record(event.data),
  metadata: record(event.metadata),
});

/**
 * The log in EventStoreDB. Appends and reads have a connection each, so that neither is broken off
 * with the other.
 */
export class EventStoreDb extends EventStore {
  readonly #writing: EventStoreDBClient;
  readonly #reading: EventStoreDBClient;
  readonly #followed = new Set<Followed>();

  /** `url` is a connection string: `esdb://127.0.0.1:2113?tls=false`. */
  constructor(url: string) {
    super();
    this.#writing = EventStoreDBClient.connectionString(url);
    this.#reading = EventStoreDBClient.connectionString(url);
  }

  override async append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended> {
    const expectedRevision =
      expected === 'any' ? 'any' : expected < 0 ? NO_STREAM : BigInt(expected);
    try {
      // Without `credentials`: an append with them is not batched.
      const { nextExpectedRevision, position } = await this.#writing.appendToStream(
        stream,
        events.map(({ id, type, data, metadata }) => jsonEvent({ id, type, data, metadata })),
        { expectedRevision },
      );
      return { revision: Number(nextExpectedRevision), position: Number(position?.commit ?? -1) };
    } catch (error) {
      throw logError(error, `append to ${stream}`);
    }
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
      for await (const { event } of this.#all(position, 1)) {
        const found = event && logEventOf(event);
        return found?.position === position ? found : undefined;
      }
      return undefined;
    } catch (error) {
      // No event begins at this position.
      if (isNowhere(error)) return undefined;
      throw logError(error, `read at ${position}`);
    }
  }

  override async head(prefixes: readonly string[]): Promise<Checkpoint | undefined> {
    try {
      let fromPosition: ReturnType<typeof placeOf> | typeof END = END;
      for (let maxCount = HEAD_PAGE; ; maxCount = Math.min(2 * maxCount, HEAD_PAGE_MAX)) {
        let seen = 0;
        let oldest = 0;
        for await (const { event } of this.#reading.readAll({
          direction: BACKWARDS,
          fromPosition,
          maxCount,
        })) {
          seen += 1;
          if (!event) continue;
          oldest = Number(event.position?.commit ?? 0);
          if (isOf(prefixes, event.streamId)) return { position: oldest, eventId: event.id };
        }
        if (seen < maxCount) return undefined;
        fromPosition = placeOf(oldest);
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
        let seen = 0;
        for await (const { event } of this.#all(from, maxCount)) {
          seen += 1;
          const position = Number(event?.position?.commit ?? -1);
          // A page begins with the event that the one before ended with.
          if (!event || position === from) continue;
          if (found.length < limit && isOf(prefixes, event.streamId)) found.push(logEventOf(event));
          if (seen === maxCount) from = position;
        }
        if (seen < maxCount) return found;
      }
      return found;
    } catch (error) {
      throw logError(error, 'read the log');
    }
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const fromPosition = after === undefined ? START : placeOf(after);
    const followed = new Followed(this.#reading, { prefixes, fromPosition }, subscriber);
    this.#followed.add(followed);
    await followed.confirmed();
    return {
      close: async () => {
        this.#followed.delete(followed);
        await followed.close();
      },
    };
  }

  override async keepLatest(stream: string): Promise<void> {
    try {
      await this.#writing.setStreamMetadata(stream, { maxCount: 1 });
    } catch (error) {
      throw logError(error, `set the metadata of ${stream}`);
    }
  }

  override async close(): Promise<void> {
    for (const followed of this.#followed) await followed.close();
    this.#followed.clear();
    await this.#writing.dispose();
    await this.#reading.dispose();
  }

  #all(from: number | undefined, maxCount: number): AsyncIterable<AllStreamResolvedEvent> {
    const fromPosition = from === undefined ? START : placeOf(from);
    return this.#reading.readAll({ direction: FORWARDS, fromPosition, maxCount });
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
