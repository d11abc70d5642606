import {
  EventStore,
  LogUnavailable,
  type Appended,
  type Checkpoint,
  type Expected,
  type LogEvent,
  type NewEvent,
  type Subscriber,
  type Subscription,
} from '#platform';

/** A way to the log that counts what passes, and loses what a test tells it to. */
export class FaultyStore extends EventStore {
  appends = 0;
  reads = 0;
  eventsRead = 0;
  /** Appends to come that are stored but whose answer is lost. */
  answersToLose = 0;
  /** While set, nothing gets through. */
  isDown = false;
  /** While set, nothing is answered: a process that was stopped. */
  isHung = false;
  /** Called once between a stored append and its lost answer. */
  beforeLoss: (() => Promise<unknown>) | undefined;

  constructor(private readonly log: EventStore) {
    super();
  }

  override async append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended> {
    this.#mustBeUp();
    this.appends += 1;
    const appended = await this.log.append(stream, expected, events);
    if (this.answersToLose > 0) {
      this.answersToLose -= 1;
      await this.beforeLoss?.();
      throw new LogUnavailable('The answer was lost on the way.');
    }
    return appended;
  }

  override async read(stream: string, from: number, limit?: number): Promise<readonly LogEvent[]> {
    this.#mustBeUp();
    if (this.isHung) return new Promise(() => undefined);
    this.reads += 1;
    const events = await this.log.read(stream, from, limit);
    this.eventsRead += events.length;
    return events;
  }

  override last(stream: string): Promise<LogEvent | undefined> {
    this.#mustBeUp();
    if (this.isHung) return new Promise(() => undefined);
    this.reads += 1;
    return this.log.last(stream);
  }

  override at(position: number): Promise<LogEvent | undefined> {
    return this.log.at(position);
  }

  override head(prefixes: readonly string[]): Promise<Checkpoint | undefined> {
    return this.log.head(prefixes);
  }

  override readAll(
    prefixes: readonly string[],
    after: number | undefined,
    limit: number,
  ): Promise<readonly LogEvent[]> {
    return this.log.readAll(prefixes, after, limit);
  }

  override subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    return this.log.subscribe(prefixes, after, subscriber);
  }

  override keepLatest(stream: string): Promise<void> {
    return this.log.keepLatest(stream);
  }

  override close(): Promise<void> {
    return this.log.close();
  }

  #mustBeUp(): void {
    if (this.isDown) throw new LogUnavailable('The log is down.');
  }
}
