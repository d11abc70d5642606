import { Injectable, Logger } from '@nestjs/common';
import { VIEWS } from '#domain';
import {
  ReadModelRunner,
  SubscriptionRunner,
  type AnyProjection,
  type Clock,
  type Codec,
  type EventStore,
  type Random,
  type Run,
  type Timer,
  type ViewWriter,
} from '#platform';

/** What the projector stands on. */
export type ProjectorPorts = Readonly<{
  store: EventStore;
  codec: Codec;
  writer: ViewWriter;
  clock: Clock;
  random: Random;
  timer: Timer;
}>;

/** How far the read models are behind the log. */
export type Lag = Readonly<{
  /** Every view holds everything up to here. */
  position: number;
  /** The log's last event that a view folds. */
  head: number;
  /** Age of the oldest event that is not in the views yet; 0 when all are. */
  lagMs: number;
}>;

/** Every read model, whatever its documents are. */
export const projections = (): readonly AnyProjection[] =>
  // Each fold takes only events of its own streams, which the runner sees to.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  Object.values(VIEWS) as unknown as readonly AnyProjection[];

/** Keeps the read models on the log. */
@Injectable()
export class LiveProjection {
  readonly #logger = new Logger('projector');
  readonly #ports: ProjectorPorts;
  readonly #models: ReadModelRunner;
  #run: Run | undefined;

  constructor(ports: ProjectorPorts) {
    this.#ports = ports;
    const log = (message: string) => this.#logger.error(message);
    this.#models = new ReadModelRunner(projections(), { ...ports, log });
  }

  /** Follows the log from where the views stand. Resolves when it does; `finished` when it ends. */
  async start(): Promise<{ finished: Promise<void> }> {
    const from = await this.#models.start();
    const log = (message: string) => this.#logger.warn(message);
    this.#run = await new SubscriptionRunner({ ...this.#ports, log }).run({
      prefixes: this.#models.prefixes,
      from,
      consumer: this.#models.consumer,
    });
    return { finished: this.#run.finished };
  }

  /** Asks the log where it stands, and how old the first event is that is missing here. */
  async lag(): Promise<Lag> {
    const { store, clock } = this.#ports;
    const { prefixes } = this.#models;
    const head = await store.head(prefixes);
    const { position } = this.#models;
    if (!head || position >= head.position)
      return { position, head: head?.position ?? -1, lagMs: 0 };
    const [missing] = await store.readAll(prefixes, position < 0 ? undefined : position, 1);
    const at = missing?.data['at'];
    const age = typeof at === 'string' ? clock.now() - Date.parse(at) : 0;
    return { position, head: head.position, lagMs: Math.max(0, age) };
  }

  async stop(): Promise<void> {
    await this.#run?.stop();
    await this.#models.settled();
  }
}
