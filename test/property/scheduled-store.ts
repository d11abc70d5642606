import type * as fc from 'fast-check';
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

/** What happens to an append on its way: nothing, or its answer is lost after it was stored. */
export type Fate = 'arrives' | 'answer lost';

/**
 * A way to the log on which every request, and every answer, arrives when fast-check's scheduler
 * lets it: what several writers do at once happens in any order that a network may choose.
 */
export class ScheduledStore extends EventStore {
  readonly #fates: Fate[];

  constructor(
    private readonly log: EventStore,
    private readonly scheduler: fc.Scheduler,
    private readonly name: string,
    fates: readonly Fate[],
  ) {
    super();
    this.#fates = [...fates];
  }

  override async append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended> {
    await this.#pass('append sent');
    const appended = await this.log.append(stream, expected, events);
    await this.#pass('append answered');
    if (this.#fates.shift() === 'answer lost') throw new LogUnavailable('The answer was lost.');
    return appended;
  }

  override async read(stream: string, from: number, limit?: number): Promise<readonly LogEvent[]> {
    await this.#pass('read sent');
    const events = await this.log.read(stream, from, limit);
    await this.#pass('read answered');
    return events;
  }

  override async last(stream: string): Promise<LogEvent | undefined> {
    await this.#pass('last sent');
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

  async #pass(what: string): Promise<void> {
    await this.scheduler.schedule(Promise.resolve(), `${this.name}: ${what}`);
  }
}
