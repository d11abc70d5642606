import { Injectable, Logger } from '@nestjs/common';
import {
  holdersOf,
  PROJECTIONS,
  ReadModelRunner,
  SubscriptionRunner,
  untilReleased,
  ViewsHeld,
  waitOut,
  type Cancel,
  type Clock,
  type Codec,
  type EventStore,
  type Random,
  type Run,
  type Timer,
  type ViewSwitch,
  type ViewWriter,
} from '#platform';

/** How often a projector says that it lives and looks whether a view is being replaced (ms). */
const BEAT_MS = 500;

/** What the projector stands on. */
export type ProjectorPorts = Readonly<{
  store: EventStore;
  codec: Codec;
  writer: ViewWriter;
  views: ViewSwitch;
  clock: Clock;
  random: Random;
  timer: Timer;
}>;

/** How far a read model is behind the log. */
export type Lag = Readonly<{
  /** It holds everything up to here. */
  position: number;
  /** The log's last event that a view folds. */
  head: number;
  /** Age of the oldest event that is not in it yet; 0 when all are. */
  lagMs: number;
}>;

/** Keeps the read models on the log, and stands still while one is replaced. */
@Injectable()
export class LiveProjection {
  readonly #logger = new Logger('projector');
  readonly #ports: ProjectorPorts;
  readonly #id: string;
  #models: ReadModelRunner;
  #run: Run | undefined;
  #beats = 0;
  /** Nothing is being written, and nothing will be before all holders have let go. */
  #isStill = true;
  #holds: readonly string[] = [];
  #isStopped = false;
  #cancelBeat: Cancel | undefined;

  constructor(ports: ProjectorPorts) {
    this.#ports = ports;
    this.#id = ports.random.uuid();
    this.#models = this.#newModels();
  }

  /** Follows the log from where the views stand. Resolves when it does; `finished` when it ends. */
  async start(): Promise<{ finished: Promise<void> }> {
    this.#cancelBeat = this.#ports.timer.every(BEAT_MS, () => void this.#look());
    const run = await this.#follow();
    return { finished: this.#goOn(run) };
  }

  /** Asks the log where it stands, and how old the first event is that is missing here. */
  async lag(): Promise<Readonly<Record<string, Lag>>> {
    const { store, clock, writer } = this.#ports;
    const { prefixes } = this.#models;
    const head = (await store.head(prefixes))?.position ?? -1;
    const checkpoints = await writer.checkpoints();
    const behind = Math.min(...PROJECTIONS.map(({ name }) => checkpoints.get(name)?.scanned ?? -1));
    let lagMs = 0;
    if (behind < head) {
      const [missing] = await store.readAll(prefixes, behind < 0 ? undefined : behind, 1);
      const at = missing?.data['at'];
      if (typeof at === 'string') lagMs = Math.max(0, clock.now() - Date.parse(at));
    }
    return Object.fromEntries(
      PROJECTIONS.map(({ name }) => {
        const position = checkpoints.get(name)?.scanned ?? -1;
        return [name, { position, head, lagMs: position >= head ? 0 : lagMs }];
      }),
    );
  }

  /** Streams that wait, by view, because an event of theirs could not be folded. */
  get parked(): Readonly<Record<string, readonly string[]>> {
    return this.#models.parked;
  }

  /** Ends the batch under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelBeat?.();
    this.#models.stop();
    await this.#run?.stop();
    await this.#models.settled().catch((error: unknown) => this.#logger.warn(String(error)));
    await this.#ports.views.leave(this.#id).catch((error: unknown) => {
      // Who replaces views finds out by its silence.
      this.#logger.warn(String(error));
    });
  }

  #newModels(): ReadModelRunner {
    const log = (message: string) => this.#logger.error(message);
    return new ReadModelRunner(PROJECTIONS, { ...this.#ports, log });
  }

  async #follow(): Promise<Run> {
    await this.#insist(() => this.#enter());
    this.#models = this.#newModels();
    const from = await this.#models.start();
    const log = (message: string) => this.#logger.warn(message);
    this.#run = await new SubscriptionRunner({ ...this.#ports, log }).run({
      prefixes: this.#models.prefixes,
      from,
      consumer: this.#models.consumer,
    });
    return this.#run;
  }

  /** Resolves when it may write: nobody holds a view, and nobody takes this one to stand still. */
  async #enter(): Promise<void> {
    do {
      this.#isStill = true;
      await untilReleased(this.#ports, () => this.#isStopped);
      this.#isStill = false;
      this.#holds = [];
      await this.#beat();
    } while ((await this.#holders()).length > 0);
  }

  /** Starts again from the checkpoints whenever a view has been replaced. */
  async #goOn(first: Run): Promise<void> {
    for (let run = first; !this.#isStopped; run = await this.#follow()) {
      await ending(run.finished);
      await ending(this.#models.settled());
      if (this.#isStopped) return;
      this.#isStill = true;
      this.#logger.warn('A view is being replaced; going on when that is done.');
      await this.#look();
    }
  }

  /** Says that it lives; stops for a holder, also while there is nothing to write. */
  async #look(): Promise<void> {
    try {
      const holders = await this.#holders();
      if (this.#isStill) this.#holds = holders;
      else if (holders.length > 0) await this.#run?.stop();
      await this.#beat();
    } catch (error) {
      // The next look comes soon.
      this.#logger.warn(String(error));
    }
  }

  async #holders(): Promise<readonly string[]> {
    return [...holdersOf(await this.#ports.writer.checkpoints()).keys()];
  }

  #insist<T>(call: () => Promise<T>): Promise<T> {
    const log = (message: string) => this.#logger.warn(message);
    return waitOut({ timer: this.#ports.timer, log, isStopped: () => this.#isStopped }, call);
  }

  async #beat(): Promise<void> {
    this.#beats += 1;
    const beat = { id: this.#id, beat: this.#beats, holds: this.#holds };
    if (!this.#isStopped) await this.#ports.views.beat(beat);
  }
}

/** A hold ends a run as a stop does; anything else is a failure. */
const ending = async (end: Promise<void>): Promise<void> => {
  try {
    await end;
  } catch (error) {
    if (!(error instanceof ViewsHeld)) throw error;
  }
};
