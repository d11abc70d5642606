import type { Recorded } from '#domain';
import type { Clock, Timer } from './clock.js';
import type { Codec } from './codec.js';
import { crashPoint } from './crash-points.js';
import type { Checkpoint, EventStore, LogEvent } from './event-store.js';
import { isOutage, waitOut } from './outage.js';
import { isPlanted } from './planted-bugs.js';
import { ReadModel, type AnyProjection, type Changes, type Memory } from './read-model.js';
import { BATCH_EVENTS_MAX, RestoredLog, type Consumer } from './subscription.js';
import type { ViewWriter } from './view-writer.js';

/** Documents kept in memory per view, so that a live batch loads none: about 1 KiB each. */
const CACHE_DOCUMENTS_MAX = 30_000;
/** Batches begin at least this far apart (ms) unless full: 40 small ones a second cost little. */
const BATCH_MS_MIN = 25;
/** What the runner stands on; `log` hears of everything that is parked, and of outages. */
export type ReadModelRunnerPorts = Readonly<{
  store: EventStore;
  writer: ViewWriter;
  codec: Codec;
  clock: Clock;
  timer: Timer;
  log: (message: string) => void;
}>;

/** How a runner works: `batchMax` as given to its subscription. */
export type RunnerOptions = Partial<Memory> &
  Readonly<{
    batchMax?: number;
  }>;

type Batch = Readonly<{ changes: readonly Changes[]; at: Checkpoint; scanned: number }>;
type Undecoded = Readonly<{ failure: unknown }>;

const isUndecoded = (read: Recorded | Undecoded): read is Undecoded => 'failure' in read;

/**
 * Folds the log into read models, all of them in one pass. Documents are guarded by position and
 * written before the checkpoint, so an event that comes twice changes nothing and none is skipped.
 * While one batch is being written the next is folded.
 */
export class ReadModelRunner {
  readonly #models: readonly ReadModel[];
  readonly #ports: ReadModelRunnerPorts;
  readonly #batchMax: number;
  /** Documents are held back, so there is no checkpoint before `flush`. */
  readonly #isHolding: boolean;
  #generations: ReadonlyMap<string, number> = new Map();
  /** The last event that was folded. */
  #last: Checkpoint = { position: -1, eventId: '' };
  #position = -1;
  #events = 0;
  #writing: Promise<void> = Promise.resolve();
  #isStopped = false;

  constructor(
    projections: readonly AnyProjection[],
    ports: ReadModelRunnerPorts,
    {
      batchMax = BATCH_EVENTS_MAX,
      cacheMax = CACHE_DOCUMENTS_MAX,
      heldMax = 0,
    }: RunnerOptions = {},
  ) {
    this.#ports = ports;
    this.#batchMax = batchMax;
    const insist = <T>(call: () => Promise<T>) => this.#insist(call);
    const own = { ...ports, insist };
    const memory = { cacheMax, heldMax };
    this.#isHolding = heldMax > 0;
    this.#models = projections.map((projection) => new ReadModel(projection, own, memory));
  }

  /** Beginnings of the names of all streams that are folded. */
  get prefixes(): readonly string[] {
    return [...new Set(this.#models.flatMap(({ projection }) => projection.streams))];
  }

  /** Position up to which every view's store holds everything. */
  get position(): number {
    return this.#position;
  }

  /** Streams that wait, by view; views for which none waits are left out. */
  get parked(): Readonly<Record<string, readonly string[]>> {
    const waiting = this.#models.filter(({ parked }) => parked.length > 0);
    return Object.fromEntries(waiting.map(({ name, parked }) => [name, parked]));
  }

  /** Events folded and written since the start. */
  get events(): number {
    return this.#events;
  }

  /**
   * Makes collections and indexes; gives the position after which the log is to be followed.
   * Throws `RestoredLog` when the log has another event where a view stands.
   */
  async start(): Promise<number | undefined> {
    const { writer } = this.#ports;
    for (const { projection } of this.#models) await this.#insist(() => writer.prepare(projection));
    const checkpoints = await this.#insist(() => writer.checkpoints());
    const generations = new Map<string, number>();
    let least: Checkpoint & { scanned: number } = {
      position: Number.MAX_SAFE_INTEGER,
      eventId: '',
      scanned: Number.MAX_SAFE_INTEGER,
    };
    for (const model of this.#models) {
      const at = checkpoints.get(model.name);
      if (!at) throw new Error(`The view ${model.name} has no checkpoint.`);
      await this.#verify(model.name, at);
      await model.start(at.position);
      generations.set(model.name, at.generation);
      if (at.scanned < least.scanned) least = at;
    }
    this.#generations = generations;
    this.#last = { position: least.position, eventId: least.eventId };
    this.#position = least.scanned;
    return least.scanned < 0 ? undefined : least.scanned;
  }

  /** As a consumer of the log. */
  get consumer(): Consumer {
    return {
      batch: (events, scannedTo) => this.#paced(events, scannedTo),
      caughtUp: () => this.settled(),
    };
  }

  /** Resolves when all that was handed over is written. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** Writes what was held back, then the checkpoint. */
  async flush(): Promise<void> {
    await this.#writing;
    await Promise.all(this.#models.map((model) => model.flush()));
    await this.#save(this.#last, this.#position);
  }

  /** Gives up waiting for a database that is away. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Folds a batch, and begins to write it once the one before is written. */
  async apply(events: readonly LogEvent[], scannedTo = events.at(-1)?.position ?? -1) {
    const decoded = await this.#decode(events);
    const changes = await Promise.all(this.#models.map((model) => model.fold(decoded)));
    await this.#writing;
    const last = events.at(-1);
    if (last) this.#last = { position: last.position, eventId: last.id };
    const scanned = Math.max(scannedTo, this.#last.position);
    for (const [index, model] of this.#models.entries())
      model.sending(changes[index] ?? { documents: new Map(), fresh: new Set() });
    this.#writing = this.#write({ changes, at: this.#last, scanned }, events.length);
    // Whoever waits next hears of it.
    this.#writing.catch(() => {});
  }

  async #paced(events: readonly LogEvent[], scannedTo: number): Promise<void> {
    const { clock, timer } = this.#ports;
    const began = clock.monotonic();
    await this.apply(events, scannedTo);
    const rest = BATCH_MS_MIN - (clock.monotonic() - began);
    if (events.length < this.#batchMax / 2 && rest > 0) await timer.sleep(rest);
  }

  async #write({ changes, at, scanned }: Batch, events: number): Promise<void> {
    if (isPlanted('checkpoint-before-documents')) await this.#save(at, scanned);
    await Promise.all(
      this.#models.map(async (model, index) => {
        const own = changes[index];
        if (own) await model.write(own);
        await model.settleParked();
      }),
    );
    if (!this.#isHolding && !isPlanted('checkpoint-before-documents'))
      await this.#save(at, scanned);
    this.#position = scanned;
    this.#events += events;
    for (const model of this.#models) await model.reached(at.position);
  }

  async #save(at: Checkpoint, scanned: number): Promise<void> {
    const { writer } = this.#ports;
    crashPoint('projector.documents-written');
    await this.#insist(() => writer.save(this.#generations, { ...at, scanned }));
    crashPoint('projector.checkpoint-written');
  }

  async #decode(events: readonly LogEvent[]): Promise<readonly Recorded[]> {
    const reads = events.map((event) => this.#read(event));
    const decoded: Recorded[] = [];
    for (const [index, read] of reads.entries()) {
      const logged = events[index];
      let event = read instanceof Promise ? await read : read;
      if (logged && isUndecoded(event) && isOutage(event.failure))
        event = await this.#again(logged);
      if (!isUndecoded(event)) decoded.push(event);
      else if (logged) for (const model of this.#models) model.park(logged, event.failure);
    }
    return decoded;
  }

  /** Reads an event once the store that was missing is back: an outage parks nothing. */
  async #again(event: LogEvent): Promise<Recorded | Undecoded> {
    try {
      return await this.#insist(async () => this.#ports.codec.decode(event, true));
    } catch (failure) {
      if (isOutage(failure)) throw failure;
      return { failure };
    }
  }

  #read(event: LogEvent): Recorded | Undecoded | Promise<Recorded | Undecoded> {
    try {
      const read = this.#ports.codec.decode(event, true);
      return read instanceof Promise ? read.catch((failure: unknown) => ({ failure })) : read;
    } catch (failure) {
      return { failure };
    }
  }

  async #verify(view: string, { position, eventId }: Checkpoint): Promise<void> {
    if (position < 0) return;
    const found = await this.#insist(() => this.#ports.store.at(position));
    if (found?.id === eventId) return;
    throw new RestoredLog(
      `The view ${view} has seen event ${eventId} at ${position}, where the log has ` +
        `${found ? found.id : 'none'}: the log was restored from a backup. Rebuild the read ` +
        'models: npm run rebuild',
    );
  }

  /** An outage is waited out; nothing is skipped. */
  #insist<T>(call: () => Promise<T>): Promise<T> {
    return waitOut({ ...this.#ports, isStopped: () => this.#isStopped }, call);
  }
}
