import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { SPAN_BEAT_MS, SPAN_INDEXES, SPAN_NODES, SPANS, type Cancel, type Span } from '#platform';
import type { Path } from './path.js';

/** Ended connections that wait to be written while the store is away; then the oldest are let go. */
const ENDED_MAX = 10_000;

/** A connection, as far as its span tells of it. */
export type Spanned = Readonly<{
  id: string;
  reader: Readonly<{ userId: string; deviceId: string; path: Path }>;
}>;

type Changed = Readonly<{ connection: Spanned; span: Span }>;

/**
 * Writes down what each device was told and what it acknowledged: one document per connection,
 * those that changed in one bulk per tick, and never one for a message.
 *
 * What changed within the last tick is lost with the process. The next span of the device begins
 * where the device stands, so the ledger has a hole of a second, and the auditor takes the next.
 */
@Injectable()
export class Spans implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #logger = new Logger('Spans');
  readonly #node: string;
  /** Longest unwritten first. */
  readonly #open = new Map<Spanned, number>();
  #ended: Span[] = [];
  #writing: Promise<void> | undefined;
  #stops: readonly Cancel[] = [];
  #isLogged = false;

  constructor(@Inject(PORTS) private readonly ports: Ports) {
    this.#node = ports.random.uuid();
  }

  onApplicationBootstrap(): void {
    this.#stops = [
      this.ports.timer.every(this.ports.config.SPANS_TICK_MS, () => this.tick()),
      this.ports.timer.every(SPAN_BEAT_MS, () => void this.#try(() => this.#beat())),
    ];
    void this.#try(() => this.ports.operations.prepare(SPANS, SPAN_INDEXES));
    void this.#try(() => this.#beat());
  }

  /** Writes the ends that are left. */
  async onApplicationShutdown(): Promise<void> {
    for (const stop of this.#stops) stop();
    await this.#writing;
    await this.#write();
  }

  /** A device has connected; it is written once there is something to tell. */
  opened(connection: Spanned): void {
    this.#open.set(connection, this.ports.clock.now());
  }

  /** A connection is over, and why. */
  closed(connection: Spanned, reason: string): void {
    const openedAt = this.#open.get(connection);
    if (openedAt === undefined) return;
    this.#open.delete(connection);
    const closedAt = this.ports.clock.now();
    this.#ended.push({ ...this.#spanOf(connection, openedAt), closedAt, reason });
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
  }

  /** Writes what has changed, unless the last write is still under way. */
  tick(): void {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
  }

  async #write(): Promise<void> {
    const ended = this.#ended.splice(0, this.ports.config.SPANS_PER_TICK_MAX);
    const changed = this.#changed(this.ports.config.SPANS_PER_TICK_MAX - ended.length);
    const spans = [...ended, ...changed.map(({ span }) => span)];
    if (spans.length === 0) return;
    const isWritten = await this.#try(() => this.ports.operations.putAll(SPANS, spans));
    if (isWritten) return;
    this.#ended.unshift(...ended);
    for (const { connection } of changed) connection.reader.path.untaken();
  }

  #changed(most: number): Changed[] {
    const changed: Changed[] = [];
    for (const [connection, openedAt] of this.#open) {
      if (changed.length >= most) break;
      if (!connection.reader.path.isDirty) continue;
      changed.push({ connection, span: this.#spanOf(connection, openedAt) });
    }
    for (const { connection, span } of changed) {
      this.#open.delete(connection);
      this.#open.set(connection, span.openedAt);
    }
    return changed;
  }

  #spanOf({ id, reader }: Spanned, openedAt: number): Span {
    const { userId, deviceId, path } = reader;
    const at = this.ports.clock.now();
    return { _id: id, userId, deviceId, node: this.#node, openedAt, at, ...path.taken(at) };
  }

  #beat(): Promise<void> {
    return this.ports.operations.put(SPAN_NODES, this.#node, { at: this.ports.clock.now() });
  }

  /** Whether it could be done: the ledger is an account of delivery, never in its way. */
  async #try(work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      this.#isLogged = false;
      return true;
    } catch (error) {
      if (!this.#isLogged) this.#logger.warn(`The ledger cannot be written: ${String(error)}`);
      this.#isLogged = true;
      return false;
    }
  }
}
