/** An event as it stands in the log: `data` is sealed JSON that only the codec understands. */
export type LogEvent = Readonly<{
  id: string;
  stream: string;
  /** Place in the stream, from 0. */
  revision: number;
  /** Place in the whole log: a byte offset, growing, not dense. */
  position: number;
  type: string;
  data: Readonly<Record<string, unknown>>;
  metadata: Readonly<Record<string, unknown>>;
}>;

/** An event before it has a place. */
export type NewEvent = Readonly<Pick<LogEvent, 'id' | 'type' | 'data' | 'metadata'>>;

/** Where an append ended: the revision and position of its last event. */
export type Appended = Readonly<{ revision: number; position: number }>;

/** What a writer takes the stream's last revision to be: -1 where it expects no stream. */
export type Expected = number | 'any';

/** Another writer was first, or the stream is not as expected. Nothing was appended. */
export class StaleRevision extends Error {
  override readonly name = 'StaleRevision';
}

/** The log cannot be reached, or answered that it cannot serve. The outcome may be unknown. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
}

/** The prefix of every stream's name, the server's own among them. */
export const EVERY_STREAM: readonly string[] = [''];

/** A place in the log that can be checked after a restore: position and the event that is there. */
export type Checkpoint = Readonly<{ position: number; eventId: string }>;

/** What a subscriber is told. Calls never overlap: the next event waits for the promise. */
export type Subscriber = Readonly<{
  /** In order, without a gap or a repeat after `from`. */
  event: (event: LogEvent) => void | Promise<void>;
  /** The log was scanned to here; nothing in between was for this subscriber. */
  checkpoint?: (position: number) => void | Promise<void>;
  /** Everything that stood in the log at subscription time has been delivered. */
  caughtUp?: () => void | Promise<void>;
  /** The connection is gone; the runner subscribes again from where it stands. */
  dropped: (error: Error) => void;
}>;

/** A running subscription. */
export type Subscription = Readonly<{ close: () => Promise<void> }>;

/** The door to the log. EventStoreDB stands behind it in production, memory in the simulation. */
export abstract class EventStore {
  /** Appends all or nothing. Throws `StaleRevision`, or `LogUnavailable` (outcome unknown). */
  abstract append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended>;
  /** Forwards from a revision, at most `limit`; nothing for an absent stream. */
  abstract read(stream: string, from: number, limit?: number): Promise<readonly LogEvent[]>;
  /** The last event of a stream. */
  abstract last(stream: string): Promise<LogEvent | undefined>;
  /** The event at exactly this position, if there is one. */
  abstract at(position: number): Promise<LogEvent | undefined>;
  /** Position and id of the log's last event that belongs to one of the prefixes. */
  abstract head(prefixes: readonly string[]): Promise<Checkpoint | undefined>;
  /** Forwards through the whole log after a position, `prefixes` of stream names only. */
  abstract readAll(
    prefixes: readonly string[],
    after: number | undefined,
    limit: number,
  ): Promise<readonly LogEvent[]>;
  /** Follows streams whose name begins with one of the prefixes, after a position, in order. */
  abstract subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription>;
  /** Keeps only the latest event of a stream (snapshots). */
  abstract keepLatest(stream: string): Promise<void>;
  abstract close(): Promise<void>;
}
