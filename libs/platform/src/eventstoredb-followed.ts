import type { Connection, ReadCall } from './eventstoredb-connection.js';
import { logError } from './eventstoredb-errors.js';
import { subscriptionRequest } from './eventstoredb-requests.js';
import type { ReadAnswer } from './eventstoredb-wire.js';
import { LogUnavailable, type Subscriber } from './event-store.js';

/** One subscription, told to a subscriber in order, one call at a time. */
export class Followed {
  readonly #subscriber: Subscriber;
  #call: ReadCall | undefined;
  #isOver = false;
  #confirmed: { resolve: () => void; reject: (error: Error) => void } | undefined;

  constructor(subscriber: Subscriber) {
    this.#subscriber = subscriber;
  }

  /** Resolves once the server has taken the subscription. */
  async begin(
    connection: Connection,
    prefixes: readonly string[],
    after: number | undefined,
  ): Promise<void> {
    try {
      const call = await connection.reads(subscriptionRequest(prefixes, after));
      this.#call = call;
      await new Promise<void>((resolve, reject) => {
        this.#confirmed = { resolve, reject };
        call.on('data', (answer: ReadAnswer) => this.#take(call, answer));
        call.on('error', (error) => this.#end(error));
        call.on('end', () => this.#end(new LogUnavailable('The log ended a subscription.')));
      });
    } catch (error) {
      throw logError(error, 'follow the log');
    }
  }

  /** Ends it; the subscriber hears nothing more. */
  close(): Promise<void> {
    this.#isOver = true;
    return this.#cancel();
  }

  #take(call: ReadCall, answer: ReadAnswer): void {
    if (this.#isOver) return;
    try {
      const told = this.#tell(answer);
      if (!told) return;
      call.pause();
      told.then(
        () => call.resume(),
        (error: unknown) => this.#end(error),
      );
    } catch (error) {
      this.#end(error);
    }
  }

  #tell(answer: ReadAnswer): void | Promise<void> {
    switch (answer) {
      case 'confirmed':
        this.#confirmed?.resolve();
        this.#confirmed = undefined;
        return undefined;
      case 'caught-up':
        return this.#subscriber.caughtUp?.();
      case 'no-stream':
      case 'other':
        return undefined;
      default:
        return 'checkpoint' in answer
          ? this.#subscriber.checkpoint?.(answer.checkpoint)
          : this.#subscriber.event(answer);
    }
  }

  #end(cause: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const reason = logError(cause, 'follow the log');
    if (this.#confirmed) this.#confirmed.reject(reason);
    else this.#subscriber.dropped(reason);
    void this.#cancel();
  }

  #cancel(): Promise<void> {
    return new Promise((resolve) => {
      // Not within a message's own turn: https://github.com/grpc/grpc-node/issues/1464
      setImmediate(() => {
        this.#call?.cancel();
        resolve();
      });
    });
  }
}
