import {
  EventStore,
  LogUnavailable,
  StaleRevision,
  type Appended,
  type Checkpoint,
  type Expected,
  type LogEvent,
  type NewEvent,
  type Subscriber,
  type Subscription,
} from './event-store.js';

/** Bytes that a record has beside its JSON: lengths, checksum, ids. Positions look like offsets. */
const FRAME_BYTES = 64;
/** Events after which a subscriber that sees none of them is told how far the log was scanned. */
const CHECKPOINT_EVERY = 32;

const isOf = (prefixes: readonly string[], { stream }: LogEvent): boolean =>
  prefixes.some((prefix) => stream.startsWith(prefix));

/** JSON and back: what comes out of the log is never the object that went in. */
const throughJson = <T>(value: T): T => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(JSON.stringify(value)) as T;
};

/** One subscriber, fed from the log one call at a time. */
class Follower {
  #at: number;
  #running: Promise<void> | undefined;
  #caughtUp = false;
  #scanned = 0;
  closed = false;

  constructor(
    private readonly log: readonly LogEvent[],
    private readonly prefixes: readonly string[],
    private readonly subscriber: Subscriber,
    from: number,
  ) {
    this.#at = from;
  }

  /** Delivers what has come since; a call that finds it running is carried along. */
  wake(): void {
    this.#running ??= this.#deliver()
      .catch((error: unknown) =>
        this.drop(new LogUnavailable('A subscriber failed.', { cause: error })),
      )
      .finally(() => {
        this.#running = undefined;
        if (!this.closed && this.#at < this.log.length) this.wake();
      });
  }

  drop(error: Error): void {
    if (this.closed) return;
    this.closed = true;
    this.subscriber.dropped(error);
  }

  async settled(): Promise<void> {
    await this.#running;
  }

  async #deliver(): Promise<void> {
    // A subscription's first event comes after the call that made it has returned.
    await Promise.resolve();
    for (let event = this.log[this.#at]; event && !this.closed; event = this.log[this.#at]) {
      this.#at += 1;
      this.#scanned += 1;
      if (isOf(this.prefixes, event)) await this.subscriber.event(event);
      if (this.#scanned % CHECKPOINT_EVERY === 0 && !this.closed)
        await this.subscriber.checkpoint?.(event.position);
    }
    if (this.#caughtUp || this.closed) return;
    this.#caughtUp = true;
    await this.subscriber.caughtUp?.();
  }
}

/** A log in memory with positions that look like byte offsets: unit tests and the simulation. */
export class MemoryEventStore extends EventStore {
  readonly #log: LogEvent[] = [];
  readonly #streams = new Map<string, LogEvent[]>();
  readonly #indexAt = new Map<number, number>();
  readonly #latestOnly = new Set<string>();
  readonly #followers = new Set<Follower>();
  #next = 0;
  #isClosed = false;

  override async append(
    stream: string,
    expected: Expected,
    events: readonly NewEvent[],
  ): Promise<Appended> {
    await this.#reach();
    const held = this.#streams.get(stream) ?? [];
    const current = held.length - 1;
    const repeat = repeatedAt(held, expected, events);
    if (repeat) return endedAt(repeat);
    if (expected !== 'any' && expected !== current)
      throw new StaleRevision(`${stream} is at ${current}, not at ${expected}.`);
    this.#streams.set(stream, held);
    for (const event of events) this.#add(stream, held, event);
    for (const follower of this.#followers) follower.wake();
    return endedAt(held.at(-1));
  }

  override async read(
    stream: string,
    from: number,
    limit = Number.MAX_SAFE_INTEGER,
  ): Promise<readonly LogEvent[]> {
    await this.#reach();
    const held = this.#streams.get(stream) ?? [];
    const first = this.#latestOnly.has(stream) ? Math.max(from, held.length - 1) : from;
    return held.slice(first, Math.min(held.length, first + limit)).map(throughJson);
  }

  override async last(stream: string): Promise<LogEvent | undefined> {
    await this.#reach();
    const last = this.#streams.get(stream)?.at(-1);
    return last && throughJson(last);
  }

  override async at(position: number): Promise<LogEvent | undefined> {
    await this.#reach();
    const event = this.#log[this.#indexAt.get(position) ?? -1];
    return event && throughJson(event);
  }

  override async head(prefixes: readonly string[]): Promise<Checkpoint | undefined> {
    await this.#reach();
    const last = this.#log.findLast((event) => isOf(prefixes, event));
    return last && { position: last.position, eventId: last.id };
  }

  override async readAll(
    prefixes: readonly string[],
    after: number | undefined,
    limit: number,
  ): Promise<readonly LogEvent[]> {
    await this.#reach();
    const found: LogEvent[] = [];
    for (let at = this.#indexAfter(after); at < this.#log.length && found.length < limit; at += 1) {
      const event = this.#log[at];
      if (event && isOf(prefixes, event)) found.push(throughJson(event));
    }
    return found;
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    await this.#reach();
    const from = this.#indexAfter(after);
    const follower = new Follower(this.#log, prefixes, subscriber, from);
    this.#followers.add(follower);
    follower.wake();
    return {
      close: () => {
        follower.closed = true;
        this.#followers.delete(follower);
        return Promise.resolve();
      },
    };
  }

  override async keepLatest(stream: string): Promise<void> {
    await this.#reach();
    this.#latestOnly.add(stream);
  }

  /** Ends every subscription as a lost connection would. */
  dropSubscriptions(reason: string): void {
    for (const follower of this.#followers) follower.drop(new LogUnavailable(reason));
    this.#followers.clear();
  }

  override async close(): Promise<void> {
    this.#isClosed = true;
    for (const follower of this.#followers) follower.closed = true;
    await Promise.all([...this.#followers].map((follower) => follower.settled()));
    this.#followers.clear();
  }

  #add(stream: string, held: LogEvent[], event: NewEvent): void {
    const place = { stream, revision: held.length, position: this.#next };
    const logged = throughJson({ ...event, ...place });
    held.push(logged);
    this.#indexAt.set(logged.position, this.#log.length);
    this.#log.push(logged);
    this.#next += FRAME_BYTES + stream.length + JSON.stringify(event).length;
  }

  /** Index of the first event after a position. */
  #indexAfter(after: number | undefined): number {
    if (after === undefined) return 0;
    const exact = this.#indexAt.get(after);
    if (exact !== undefined) return exact + 1;
    const found = this.#log.findIndex(({ position }) => position > after);
    return found < 0 ? this.#log.length : found;
  }

  /** Everything is asynchronous, as over a wire. */
  async #reach(): Promise<void> {
    await Promise.resolve();
    if (this.#isClosed) throw new LogUnavailable('The log is closed.');
  }
}

const endedAt = (last: LogEvent | undefined): Appended =>
  last ? { revision: last.revision, position: last.position } : { revision: -1, position: 0 };

/** The last event of an append that was carried out before; EventStoreDB answers it as it did. */
const repeatedAt = (
  held: readonly LogEvent[],
  expected: Expected,
  events: readonly NewEvent[],
): LogEvent | undefined => {
  const [first] = events;
  if (!first || expected === held.length - 1) return undefined;
  const from = expected === 'any' ? held.findIndex((event) => event.id === first.id) : expected + 1;
  if (from < 0) return undefined;
  const same = events.every(({ id }, offset) => held[from + offset]?.id === id);
  return same ? held[from + events.length - 1] : undefined;
};
