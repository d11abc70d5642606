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
} from '#platform';
import { between, type Draw } from './chance.js';
import { NETWORK, type Network, type Service } from './network.js';
import { Actor, type Course } from './time.js';

/** Bytes that a record has beside its JSON; positions look like offsets. */
const FRAME_BYTES = 64;
/** How long a disk takes to make an append durable (ms). */
const SYNC_MS = [1, 6] as const;
/** Events after which a subscriber that sees none of them is told how far the log was scanned. */
const CHECKPOINT_EVERY = 32;

const copied = <T>(value: T): T => {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return JSON.parse(JSON.stringify(value)) as T;
};

const isOf = (prefixes: readonly string[], { stream }: LogEvent): boolean =>
  prefixes.some((prefix) => stream.startsWith(prefix));

type Pending = Readonly<{
  events: readonly LogEvent[];
  done: (() => void)[];
  lost: ((error: Error) => void)[];
}>;

/**
 * The log's server: an append is visible and acknowledged once it is durable; a crash loses what is
 * not, or any last part of it.
 */
export class SimulatedLog {
  /** What is durable, in order. */
  readonly events: LogEvent[] = [];
  isUp = true;
  readonly service: Service = {
    name: 'log',
    isUp: () => this.isUp,
    gone: (message) => new LogUnavailable(message),
  };
  /** Hears of each event that became durable. */
  stored: (event: LogEvent) => void = () => undefined;
  readonly #streams = new Map<string, LogEvent[]>();
  readonly #followers = new Set<Follower>();
  #pending: Pending[] = [];
  #next = 0;
  #isSyncing = false;

  constructor(
    readonly course: Course,
    private readonly draw: Draw,
  ) {}

  append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const held = this.#streams.get(stream) ?? [];
    const repeat = repeatedAt(held, expected, events);
    if (repeat) return this.#whenDurable(repeat);
    if (expected !== 'any' && expected !== held.length - 1)
      throw new StaleRevision(`${stream} is at ${held.length - 1}, not at ${expected}.`);
    this.#streams.set(stream, held);
    const placed = events.map((event) => this.#place(stream, held, event));
    this.#pending.push({ events: placed, done: [], lost: [] });
    this.#sync();
    const last = placed.at(-1);
    return last ? this.#whenDurable(last) : Promise.resolve({ revision: -1, position: 0 });
  }

  stream(name: string): readonly LogEvent[] {
    const durable = this.events.at(-1)?.position ?? -1;
    return (this.#streams.get(name) ?? []).filter(({ position }) => position <= durable);
  }

  subscribe(follower: Follower): void {
    this.#followers.add(follower);
    follower.wake();
  }

  unsubscribe(follower: Follower): void {
    follower.isClosed = true;
    this.#followers.delete(follower);
  }

  /** Ends the subscriptions of one node, or of all. */
  drop(node?: string): void {
    for (const follower of this.#followers) {
      if (node !== undefined && follower.actor.name !== node) continue;
      this.#followers.delete(follower);
      follower.drop();
    }
  }

  /** A subscription of a node dies without a word: nothing comes any more. */
  mute(node: string): void {
    for (const follower of this.#followers)
      if (follower.actor.name === node) this.unsubscribe(follower);
  }

  /** The subscriptions of a node tell the latest events once more. */
  echo(node: string, count: number): void {
    for (const follower of this.#followers) if (follower.actor.name === node) follower.echo(count);
  }

  /** The server dies: of what was not acknowledged it keeps a part, and perhaps nothing. */
  crash(): void {
    this.isUp = false;
    const kept = this.draw(this.#pending.length + 1);
    const lost = this.#pending.slice(kept);
    for (const { events } of this.#pending.slice(0, kept)) this.#keep(events);
    for (const { events } of lost.toReversed()) this.#forget(events);
    const error = new LogUnavailable('The log has died.');
    for (const { lost: tell } of this.#pending) for (const one of tell) one(error);
    this.course.note(`log dies, keeps ${kept} of ${this.#pending.length} unacknowledged appends`);
    this.#pending = [];
    this.drop();
  }

  restart(): void {
    this.isUp = true;
  }

  #place(stream: string, held: LogEvent[], event: NewEvent): LogEvent {
    const placed = copied({ ...event, stream, revision: held.length, position: this.#next });
    this.#next += FRAME_BYTES + stream.length + JSON.stringify(event).length;
    held.push(placed);
    return placed;
  }

  #whenDurable({ revision, position }: LogEvent): Promise<Appended> {
    const pending = this.#pending.find(({ events }) =>
      events.some((event) => event.position === position),
    );
    if (!pending) return Promise.resolve({ revision, position });
    return new Promise((resolve, reject) => {
      pending.done.push(() => resolve({ revision, position }));
      pending.lost.push(reject);
    });
  }

  #sync(): void {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    const syncing = [...this.#pending];
    const tookMs = between(this.draw, ...SYNC_MS);
    this.course.plan(tookMs, NETWORK, 'sync', () => {
      this.#isSyncing = false;
      for (const one of syncing) if (this.#pending.includes(one)) this.#durable(one);
      if (this.#pending.length > 0) this.#sync();
      for (const follower of this.#followers) follower.wake();
    });
  }

  #durable(pending: Pending): void {
    this.#pending = this.#pending.filter((other) => other !== pending);
    this.#keep(pending.events);
    for (const done of pending.done) done();
  }

  #keep(events: readonly LogEvent[]): void {
    for (const event of events) {
      this.events.push(event);
      this.stored(event);
    }
  }

  #forget(events: readonly LogEvent[]): void {
    for (const event of events.toReversed()) {
      this.#streams.get(event.stream)?.pop();
      this.#next = event.position;
    }
  }
}

/** A subscription at the server: hands over in order, and waits for who is slow. */
export class Follower {
  isClosed = false;
  #at: number;
  #isPlanned = false;
  #isBusy = false;
  #caughtUp = false;
  #scanned = 0;

  constructor(
    private readonly log: SimulatedLog,
    private readonly network: Network,
    readonly actor: Actor,
    private readonly following: Readonly<{
      prefixes: readonly string[];
      after: number | undefined;
      subscriber: Subscriber;
    }>,
  ) {
    const { after } = following;
    const found = log.events.findIndex(({ position }) => position > (after ?? -1));
    this.#at = found < 0 ? log.events.length : found;
  }

  wake(): void {
    if (this.#isPlanned || this.#isBusy || this.isClosed) return;
    if (this.#caughtUp && this.#at >= this.log.events.length) return;
    this.#isPlanned = true;
    this.log.course.plan(this.network.latency(), this.actor, 'followed', () => {
      this.#isPlanned = false;
      if (this.isClosed || this.network.isCut(this.actor.name, 'log')) return;
      this.#isBusy = true;
      void this.#deliver().finally(() => {
        this.#isBusy = false;
        if (this.#at < this.log.events.length) this.wake();
      });
    });
  }

  /** Goes back, and tells once more what it told. */
  echo(count: number): void {
    this.#at = Math.max(0, this.#at - count);
    this.#caughtUp = false;
    this.wake();
  }

  drop(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { subscriber } = this.following;
    this.log.course.plan(this.network.latency(), this.actor, 'dropped', () =>
      subscriber.dropped(new LogUnavailable('The subscription was dropped.')),
    );
  }

  async #deliver(): Promise<void> {
    const { prefixes, subscriber } = this.following;
    const { events } = this.log;
    for (let event = events[this.#at]; event && !this.isClosed; event = events[this.#at]) {
      this.#at += 1;
      this.#scanned += 1;
      if (isOf(prefixes, event)) await subscriber.event(copied(event));
      if (this.#scanned % CHECKPOINT_EVERY === 0) await subscriber.checkpoint?.(event.position);
    }
    if (this.#caughtUp || this.isClosed) return;
    this.#caughtUp = true;
    await subscriber.caughtUp?.();
  }
}

/** The log as one node reaches it. */
export class LogAt extends EventStore {
  constructor(
    private readonly log: SimulatedLog,
    private readonly network: Network,
    private readonly actor: Actor,
  ) {
    super();
  }

  override append(stream: string, expected: Expected, events: readonly NewEvent[]) {
    const sent = copied(events);
    return this.#ask(() => this.log.append(stream, expected, sent));
  }

  override read(stream: string, from: number, limit = Number.MAX_SAFE_INTEGER) {
    return this.#ask(() => copied(this.log.stream(stream).slice(from, from + limit)));
  }

  override last(stream: string) {
    return this.#ask(() => this.log.stream(stream).at(-1));
  }

  override at(position: number) {
    return this.#ask(() => this.log.events.find((event) => event.position === position));
  }

  override head(prefixes: readonly string[]) {
    return this.#ask((): Checkpoint | undefined => {
      const last = this.log.events.findLast((event) => isOf(prefixes, event));
      return last && { position: last.position, eventId: last.id };
    });
  }

  override readAll(prefixes: readonly string[], after: number | undefined, limit: number) {
    return this.#ask(() => {
      const wanted = this.log.events.filter(
        (event) => event.position > (after ?? -1) && isOf(prefixes, event),
      );
      return copied(wanted.slice(0, limit));
    });
  }

  override async subscribe(
    prefixes: readonly string[],
    after: number | undefined,
    subscriber: Subscriber,
  ): Promise<Subscription> {
    const following = { prefixes, after, subscriber };
    const follower = await this.#ask(() => {
      const made = new Follower(this.log, this.network, this.actor, following);
      this.log.subscribe(made);
      return made;
    });
    return {
      close: () => {
        this.log.unsubscribe(follower);
        return Promise.resolve();
      },
    };
  }

  override keepLatest(): Promise<void> {
    return this.#ask(() => undefined);
  }

  override close(): Promise<void> {
    this.log.drop(this.actor.name);
    return Promise.resolve();
  }

  #ask<T>(work: () => T | Promise<T>): Promise<T> {
    return this.network.call(this.actor, this.log.service, work);
  }
}

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
  const isSame = events.every(({ id }, offset) => held[from + offset]?.id === id);
  return isSame ? held[from + events.length - 1] : undefined;
};
