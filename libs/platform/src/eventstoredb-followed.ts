import {
  START,
  streamNameFilter,
  type AllStreamResolvedEvent,
  type AllStreamSubscription,
  type EventStoreDBClient,
  type RecordedEvent,
} from '@eventstore/db-client';
import { logError } from './eventstoredb-errors.js';
import { LogUnavailable, type LogEvent, type Subscriber } from './event-store.js';

/** Windows of 32 considered events from one checkpoint to the next: one message for 256 others. */
const CHECKPOINT_INTERVAL = 8;

/** A position as EventStoreDB takes it. Numbers are exact up to 8 PiB of log. */
export const placeOf = (position: number) => ({
  commit: BigInt(position),
  prepare: BigInt(position),
});

const record = (value: unknown): Readonly<Record<string, unknown>> =>
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

/** The event as the platform knows it. */
export const logEventOf = (event: RecordedEvent): LogEvent => ({
  id: event.id,
  stream: event.streamId,
  revision: Number(event.revision),
  position: Number(event.position?.commit ?? -1),
  type: event.type,
  data: record(event.data),
  metadata: record(event.metadata),
});

/** What stands in the driver's queue: events, and marks that were put between them in order. */
type Queued = AllStreamResolvedEvent | Readonly<{ checkpoint: number }> | 'caught-up';

/** What to follow: names of streams that begin with one of the prefixes, after a position. */
export type Following = Readonly<{ prefixes: readonly string[]; after: number | undefined }>;

/**
 * One subscription of the driver, told to a subscriber in order, one call at a time. The driver
 * reports checkpoints and `caughtUp` beside its queue of events; here they are queued among them.
 */
export class Followed {
  readonly #queue: AllStreamSubscription;
  readonly #subscriber: Subscriber;
  #isConfirmed = false;
  #isOver = false;
  #refuse: ((error: Error) => void) | undefined;

  constructor(client: EventStoreDBClient, following: Following, subscriber: Subscriber) {
    this.#subscriber = subscriber;
    this.#queue = client.subscribeToAll({
      fromPosition: following.after === undefined ? START : placeOf(following.after),
      filter: streamNameFilter({
        prefixes: [...following.prefixes],
        checkpointInterval: CHECKPOINT_INTERVAL,
        checkpointReached: (_, { commit, prepare }) => {
          // With another `prepare` it is no place that a subscription can begin after.
          if (commit === prepare) this.#queue.push({ checkpoint: Number(commit) });
        },
      }),
    });
    this.#queue.on('caughtUp', () => this.#queue.push('caught-up'));
    this.#queue.on('error', (error) => this.#end(error));
    this.#queue.on('close', () => this.#end(new LogUnavailable('The log ended a subscription.')));
    this.#queue.on('end', () => this.#end(new LogUnavailable('The log ended a subscription.')));
  }

  /** Resolves once the server has taken the subscription, and begins to tell. */
  begin(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#refuse = reject;
      this.#queue.once('confirmation', () => {
        this.#isConfirmed = true;
        resolve();
      });
      this.#queue.on('data', (queued: Queued) => this.#take(queued));
    });
  }

  /** Ends it; the subscriber hears nothing more. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#queue.unsubscribe();
  }

  #take(queued: Queued): void {
    if (this.#isOver) return;
    try {
      const told = this.#tell(queued);
      if (!told) return;
      this.#queue.pause();
      told.then(
        () => this.#queue.resume(),
        (error: unknown) => this.#end(error),
      );
    } catch (error) {
      this.#end(error);
    }
  }

  #tell(queued: Queued): void | Promise<void> {
    if (queued === 'caught-up') return this.#subscriber.caughtUp?.();
    if ('checkpoint' in queued) return this.#subscriber.checkpoint?.(queued.checkpoint);
    return queued.event && this.#subscriber.event(logEventOf(queued.event));
  }

  #end(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const error = logError(cause, 'follow the log');
    const reason = error instanceof Error ? error : new LogUnavailable(String(error), { cause });
    if (this.#isConfirmed) this.#subscriber.dropped(reason);
    else this.#refuse?.(reason);
    // What the driver still says of it is of no interest.
    this.#queue.unsubscribe().catch(() => undefined);
  }
}
