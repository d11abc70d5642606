import type { Event, Projection, Recorded, ScriptaEvent } from '#domain';
import type { Clock } from './clock.js';
import type { Codec } from './codec.js';
import { crashPoint } from './crash-points.js';
import type { Checkpoint, LogEvent } from './event-store.js';
import type { Consumer } from './subscription.js';
import type { Stored, ViewWriter } from './views.js';

/** Any read model, its documents and events left open. */
export type AnyProjection = Projection<object, Event>;

type Document = Stored<object> & { gone?: boolean };
type Keyed = Readonly<{ key: string; event: Recorded }>;

/** Documents kept in memory per view, so that a live batch loads none: about 1 KiB each. */
const CACHE_DOCUMENTS_MAX = 20_000;
/** A lost guard means another projector; after this many in one batch something else is wrong. */
const CONFLICTS_MAX = 5;

/** What the runner stands on; `log` hears of everything that is parked. */
export type ReadModelPorts = Readonly<{
  writer: ViewWriter;
  codec: Codec;
  clock: Clock;
  log: (message: string) => void;
}>;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : 'unknown');

/** One read model: loads what a batch touches, folds, writes documents, then its checkpoint. */
class View {
  readonly projection: AnyProjection;
  readonly #ports: ReadModelPorts;
  /** Latest documents; absent ones too. Oldest use first. */
  readonly #cache = new Map<string, Document | undefined>();
  readonly #parked = new Set<string>();
  #position = -1;
  #gone = false;

  constructor(projection: AnyProjection, ports: ReadModelPorts) {
    this.projection = projection;
    this.#ports = ports;
  }

  async start(): Promise<Checkpoint | undefined> {
    const { writer } = this.#ports;
    const { name } = this.projection;
    await writer.prepare(this.projection);
    for (const { stream } of await writer.parked(name)) this.#parked.add(stream);
    const checkpoint = await writer.checkpoint(name);
    this.#position = checkpoint?.position ?? -1;
    return checkpoint;
  }

  folds(stream: string): boolean {
    return (
      !this.#parked.has(stream) &&
      this.projection.streams.some((prefix) => stream.startsWith(prefix))
    );
  }

  /** The stream waits for this view; others go on. */
  async park(event: Omit<LogEvent, 'data' | 'metadata'>, error: unknown): Promise<void> {
    const { id: eventId, stream, position, type } = event;
    if (position <= this.#position || !this.folds(stream)) return;
    this.#parked.add(stream);
    const view = this.projection.name;
    const cause = messageOf(error);
    this.#ports.log(`PARKED ${stream} for ${view} at ${type} (position ${position}): ${cause}`);
    const at = this.#ports.clock.iso();
    await this.#ports.writer.park({ view, stream, eventId, position, type, error: cause, at });
  }

  async apply(events: readonly Recorded[], checkpoint: Checkpoint): Promise<void> {
    const { name } = this.projection;
    const { writer } = this.#ports;
    const own = events.filter(
      ({ position, stream }) => position > this.#position && this.folds(stream),
    );
    for (let conflicts = 0; ; conflicts += 1) {
      const changed = await this.#fold(own, conflicts > 0);
      if (await writer.write(name, changed)) break;
      // Somebody else wrote meanwhile: begin again from what they left.
      this.#cache.clear();
      if (conflicts === CONFLICTS_MAX) throw new Error(`The view ${name} is being written to.`);
    }
    crashPoint('projector.documents-written');
    if (checkpoint.position <= this.#position) return;
    await writer.saveCheckpoint(name, checkpoint);
    crashPoint('projector.checkpoint-written');
    this.#position = checkpoint.position;
    if (this.#gone) await writer.forgetGone(name, this.#position);
    this.#gone = false;
  }

  async #fold(events: readonly Recorded[], careful: boolean): Promise<readonly Document[]> {
    const keyed = await this.#keyed(events);
    if (careful || this.projection.single !== true) await this.#load(keyed);
    const changed = new Map<string, Document>();
    for (const { key, event } of keyed) {
      // An event that was parked a moment ago takes the rest of its stream with it.
      if (this.#parked.has(event.stream)) continue;
      const before = this.#cache.get(key);
      // Applied already: a document never goes back in the log.
      if (before && before.position >= event.position) continue;
      const after = await this.#evolved(before, event, key);
      if (!after) continue;
      changed.set(key, after);
      this.#remember(key, after);
    }
    return [...changed.values()];
  }

  async #keyed(events: readonly Recorded[]): Promise<readonly Keyed[]> {
    const keyed: Keyed[] = [];
    for (const event of events) {
      try {
        for (const key of this.projection.keysOf(event)) keyed.push({ key, event });
      } catch (error) {
        await this.park(event, error);
      }
    }
    return keyed;
  }

  async #evolved(
    before: Document | undefined,
    event: Recorded,
    key: string,
  ): Promise<Document | undefined> {
    try {
      const known = before?.gone === true ? undefined : before;
      const after = this.projection.evolve(known, event, key);
      const { position } = event;
      if (after === undefined && known === undefined) return undefined;
      if (after !== undefined) return { ...after, _id: key, position };
      this.#gone = true;
      return { _id: key, position, gone: true };
    } catch (error) {
      await this.park(event, error);
      return undefined;
    }
  }

  async #load(keyed: readonly Keyed[]): Promise<void> {
    const missing = [...new Set(keyed.map(({ key }) => key))].filter(
      (key) => !this.#cache.has(key),
    );
    if (missing.length === 0) return;
    const found = await this.#ports.writer.load(this.projection.name, missing);
    const byId = new Map(found.map((document) => [document._id, document]));
    for (const key of missing) this.#remember(key, byId.get(key));
  }

  #remember(key: string, document: Document | undefined): void {
    if (this.projection.single === true && document === undefined) return;
    this.#cache.delete(key);
    this.#cache.set(key, document);
  }

  /** Between batches only: a batch relies on what it has loaded. */
  trim(): void {
    if (this.projection.single === true) this.#cache.clear();
    for (const key of this.#cache.keys()) {
      if (this.#cache.size <= CACHE_DOCUMENTS_MAX) return;
      this.#cache.delete(key);
    }
  }
}

/**
 * Folds the log into read models. Documents are guarded by position and written before the
 * checkpoint, so an event that comes twice changes nothing and none is skipped.
 */
export class ReadModelRunner {
  readonly #views: readonly View[];
  readonly #ports: ReadModelPorts;
  #position = -1;

  constructor(projections: readonly AnyProjection[], ports: ReadModelPorts) {
    this.#ports = ports;
    this.#views = projections.map((projection) => new View(projection, ports));
  }

  /** Beginnings of the names of all streams that are folded. */
  get prefixes(): readonly string[] {
    return [...new Set(this.#views.flatMap(({ projection }) => projection.streams))];
  }

  /** Position up to which every view holds everything. */
  get position(): number {
    return this.#position;
  }

  /** Makes collections and indexes; gives the place from which every view has all it needs. */
  async start(): Promise<Checkpoint | undefined> {
    const checkpoints = await Promise.all(this.#views.map((view) => view.start()));
    const oldest = checkpoints.reduce((one, other) =>
      one && other && one.position <= other.position ? one : other && one ? other : undefined,
    );
    this.#position = oldest?.position ?? -1;
    return oldest;
  }

  /** As a consumer of the log. */
  get consumer(): Consumer {
    return { batch: (events) => this.apply(events) };
  }

  /** Applies a batch to every view. */
  async apply(events: readonly LogEvent[]): Promise<void> {
    const last = events.at(-1);
    if (!last) return;
    const decoded = await this.#decode(events);
    const checkpoint = { position: last.position, eventId: last.id };
    await Promise.all(this.#views.map((view) => view.apply(decoded, checkpoint)));
    this.#position = last.position;
    for (const view of this.#views) view.trim();
  }

  async #decode(events: readonly LogEvent[]): Promise<readonly Recorded<ScriptaEvent>[]> {
    const decoded: Recorded<ScriptaEvent>[] = [];
    for (const event of events) {
      try {
        const read = this.#ports.codec.decode(event, true);
        decoded.push(read instanceof Promise ? await read : read);
      } catch (error) {
        for (const view of this.#views) await view.park(event, error);
      }
    }
    return decoded;
  }
}
