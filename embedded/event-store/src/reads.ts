import { randomUUID } from 'node:crypto';
import { Metadata, status as codes, type ServerWritableStream } from '@grpc/grpc-js';
import type { Frame } from './frame.js';
import { streams, type ReadReq } from './protocol.js';
import type { Chunk } from './log.js';
import { framesOf, type Store } from './store.js';
import { caughtUp, checkpoint, confirmation, readEvent, streamNotFound } from './wire.js';

type Call = ServerWritableStream<ReadReq, Buffer>;

/** A read that cannot be served, with the gRPC code that the original gives. */
class Refused extends Error {
  constructor(
    readonly code: codes,
    message: string,
  ) {
    super(message);
  }
}

/** Events considered between two checkpoints where the client names no window. */
const WINDOW = 32;

type Filter = Readonly<{
  matches: (frame: Frame) => boolean;
  /** Considered events from one checkpoint to the next. */
  checkpointEvery: number;
}>;

const filterOf = (options: ReadReq.Options): Filter | undefined => {
  const filter = options.getFilter();
  if (!filter) return undefined;
  const expression = filter.getStreamIdentifier() ?? filter.getEventType();
  if (!expression) throw new Refused(codes.INVALID_ARGUMENT, 'A filter needs an expression.');
  if (expression.getRegex() !== '')
    throw new Refused(codes.UNIMPLEMENTED, 'Regex filters are not supported; filter by prefix.');
  const prefixes = expression.getPrefixList();
  const byStream = filter.hasStreamIdentifier();
  const window = filter.hasMax() ? filter.getMax() : WINDOW;
  return {
    matches: (frame) => {
      const name = byStream ? frame.stream : frame.type;
      return prefixes.some((prefix) => name.startsWith(prefix));
    },
    checkpointEvery: Math.max(1, window * Math.max(1, filter.getCheckpointintervalmultiplier())),
  };
};

/** One call: writes with back-pressure, and ends when the client does. */
class Reader {
  readonly store: Store;
  readonly #call: Call;
  readonly #options: ReadReq.Options;
  #over = false;
  #wake: (() => void) | undefined;

  constructor(store: Store, call: Call, options: ReadReq.Options) {
    this.store = store;
    this.#call = call;
    this.#options = options;
    const over = (): void => {
      this.#over = true;
      this.#wake?.();
    };
    call.on('cancelled', over);
    call.on('close', over);
    call.on('error', over);
  }

  /** Writes one message; waits while the client is slow, so that its memory here stays bounded. */
  #write(bytes: Buffer): void | Promise<void> {
    if (this.#over || this.#call.write(bytes)) return undefined;
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#call.once('drain', resolve);
    });
  }

  async run(): Promise<void> {
    if (this.#options.getResolveLinks() && this.#options.hasStream())
      throw new Refused(
        codes.UNIMPLEMENTED,
        'Links are not supported: read without resolving them.',
      );
    const all = this.#options.getAll();
    if (this.#options.hasSubscription()) await (all ? this.#followAll(all) : this.#followStream());
    else await (all ? this.#readAll(all) : this.#readStream());
  }

  get #backwards(): boolean {
    return this.#options.getReadDirection() === streams.ReadReq.Options.ReadDirection.BACKWARDS;
  }

  get #count(): number {
    const count = Number(this.#options.getCount());
    if (count === 0) throw new Refused(codes.UNKNOWN, 'A read needs a count of at least 1.');
    return count;
  }

  get #stream(): string {
    const name = this.#options.getStream()?.getStreamIdentifier()?.getStreamName_asU8();
    return Buffer.from(name ?? []).toString('utf8');
  }

  async #readStream(): Promise<void> {
    const stream = this.#stream;
    const state = this.store.state(stream);
    if (!state || state.last < 0 || state.deleted) {
      await this.#write(streamNotFound(stream));
      return;
    }
    const first = this.store.firstVisible(state);
    const step = this.#backwards ? -1 : 1;
    let revision = this.#beginning(first, state.last);
    for (let left = this.#count; left > 0; left -= 1, revision += step) {
      if (revision < first || revision > state.last || this.#over) return;
      const frame = await this.store.frame(stream, revision);
      if (frame) await this.#write(readEvent(frame));
    }
  }

  /** The revision a stream's page begins with. */
  #beginning(first: number, last: number): number {
    const where = this.#options.getStream();
    const end = where?.hasEnd() === true;
    const from = where?.hasRevision() ? Number(where.getRevision()) : 0;
    if (this.#backwards) return end ? last : Math.min(from, last);
    if (end) throw new Refused(codes.UNKNOWN, 'Reading forwards from the end finds nothing.');
    return Math.max(from, first);
  }

  async #positionOf(all: ReadReq.Options.AllOptions): Promise<number> {
    if (all.hasStart()) return 0;
    if (all.hasEnd()) return this.store.log.committed;
    const position = all.getPosition();
    const commit = Number(position?.getCommitPosition() ?? 0);
    // Positions beyond the end are those of a longer log: nothing is there yet.
    if (commit >= this.store.log.committed) return commit;
    if (!(await this.store.isBoundary(commit)))
      throw new Refused(codes.UNKNOWN, `There is no event at position ${commit}.`);
    return commit;
  }

  async #readAll(all: ReadReq.Options.AllOptions): Promise<void> {
    const filter = filterOf(this.#options);
    const position = await this.#positionOf(all);
    let left = this.#count;
    const frames = this.#backwards ? this.#before(position) : this.#after(position);
    for await (const frame of frames) {
      if (this.#over) return;
      if (filter && !filter.matches(frame)) continue;
      await this.#write(readEvent(frame));
      left -= 1;
      if (left === 0) return;
    }
  }

  async *#after(position: number): AsyncGenerator<Frame> {
    let at = position;
    for (;;) {
      const chunk = await this.store.log.read(at);
      if (!chunk) return;
      yield* framesOf(chunk);
      at = chunk.base + chunk.bytes.length;
    }
  }

  async *#before(position: number): AsyncGenerator<Frame> {
    let at = Math.min(position, this.store.log.committed);
    while (at > 0) {
      at -= await this.store.log.sizeBefore(at);
      const frame = await this.store.frameAt(at);
      if (!frame) return;
      yield frame;
    }
  }

  /** Resolves at the next commit, or when the call is over. */
  #commit(): Promise<void> {
    return new Promise((resolve) => {
      const off = this.store.log.onCommit(() => {
        off();
        resolve();
      });
      this.#wake = () => {
        off();
        resolve();
      };
      if (this.#over) this.#wake();
    });
  }

  async #followAll(all: ReadReq.Options.AllOptions): Promise<void> {
    const filter = filterOf(this.#options);
    let at = await this.#positionOf(all);
    // A subscription begins after the position it is given.
    const after = all.hasPosition() ? at : -1;
    const scan = this.#scanner(filter, after);
    await this.#write(confirmation(randomUUID()));
    let live = false;
    while (!this.#over) {
      const chunk = await this.store.log.read(at);
      if (chunk) {
        await scan(chunk);
        at = chunk.base + chunk.bytes.length;
        continue;
      }
      if (!live) await this.#write(caughtUp());
      live = true;
      // What was committed while the client was told is read at once.
      if (at >= this.store.log.committed) await this.#commit();
    }
  }

  /** Passes on what matches, in order, and says how far it has looked. */
  #scanner(filter: Filter | undefined, after: number): (chunk: Chunk) => Promise<void> {
    let considered = 0;
    return async (chunk) => {
      for (const frame of framesOf(chunk)) {
        if (this.#over) return;
        if (frame.position === after) continue;
        considered += 1;
        const waiting =
          !filter || filter.matches(frame) ? this.#write(readEvent(frame)) : undefined;
        if (waiting) await waiting;
        if (filter && considered % filter.checkpointEvery === 0)
          await this.#write(checkpoint(frame.position));
      }
    };
  }

  async #followStream(): Promise<void> {
    const stream = this.#stream;
    let next = this.#firstToFollow(stream);
    await this.#write(confirmation(randomUUID()));
    let live = false;
    while (!this.#over) {
      const state = this.store.state(stream);
      if (state) next = Math.max(next, this.store.firstVisible(state));
      if (next <= this.#lastOf(stream)) {
        const frame = await this.store.frame(stream, next);
        if (frame) await this.#write(readEvent(frame));
        next += 1;
        continue;
      }
      if (!live && state) {
        await this.#write(caughtUp());
        live = true;
      }
      if (this.#lastOf(stream) < next) await this.#commit();
    }
  }

  #firstToFollow(stream: string): number {
    const where = this.#options.getStream();
    if (where?.hasEnd()) return this.#lastOf(stream) + 1;
    return where?.hasRevision() ? Number(where.getRevision()) + 1 : 0;
  }

  #lastOf(stream: string): number {
    return this.store.state(stream)?.last ?? -1;
  }
}

/** Read: pages and subscriptions, of one stream or the whole log. */
export const read =
  (store: Store) =>
  (call: Call): void => {
    const options = call.request.getOptions() ?? new streams.ReadReq.Options();
    new Reader(store, call, options).run().then(
      () => call.end(),
      (error: unknown) => {
        const code = error instanceof Refused ? error.code : codes.UNKNOWN;
        const details = error instanceof Error ? error.message : String(error);
        call.emit('error', { code, details, metadata: new Metadata() });
      },
    );
  };
