import { randomUUID } from 'node:crypto';
import { decodeFrame, encodeFrame, frameSize, type Frame, type NewFrame } from './frame.js';
import { IndexStore, type StreamState } from './index-store.js';
import { Log, type Chunk } from './log.js';

/** What a writer takes the stream's last revision to be. */
export type Expected = number | 'any' | 'stream_exists';

/** An event as a client proposes it. */
export type Proposed = Readonly<{
  id: Buffer;
  type: string;
  json: boolean;
  data: Buffer;
  metadata: Buffer;
}>;

/** Where an append ended; `current` of a wrong one is -1 where there is no stream. */
export type Outcome =
  | Readonly<{ ok: true; revision: number; position: number }>
  | Readonly<{ ok: false; reason: 'wrong_expected'; current: number }>
  | Readonly<{ ok: false; reason: 'deleted' }>;

/** `$tb` of a soft-deleted stream: the largest revision there can be. */
const DELETED_BEFORE = 9_223_372_036_854_775_807n;
/** Ticks of 100 ns in a millisecond, the unit of `created`. */
const TICKS_PER_MS = 10_000n;

/** A stream with appends that are not on disk yet: decided on as if they were. */
type InFlight = { state: StreamState; ids: Set<string>; appends: number };

const FRESH: StreamState = { last: -1, before: 0, maxCount: 0, deleted: false };

/** The stream whose metadata a `$$stream` holds. */
const subjectOf = (stream: string): string | undefined =>
  stream.startsWith('$$') ? stream.slice(2) : undefined;

/** Streams and their rules, over the log and its index. */
export class Store {
  readonly log: Log;
  readonly #index: IndexStore;
  readonly #inFlight = new Map<string, InFlight>();
  #lastCreated = 0n;

  private constructor(log: Log, index: IndexStore) {
    this.log = log;
    this.#index = index;
  }

  /** Opens a data folder; indexes what the index has not seen. */
  static async open(folder: string, segmentBytes: number): Promise<Store> {
    const log = await Log.open(folder, segmentBytes);
    let index = await IndexStore.open(folder);
    if (index.reached > log.committed) index = await IndexStore.fresh(index, folder);
    const store = new Store(log, index);
    await store.#catchUp();
    return store;
  }

  async #catchUp(): Promise<void> {
    let position = this.#index.reached;
    for (;;) {
      const chunk = await this.log.read(position);
      if (!chunk) break;
      for (const frame of framesOf(chunk)) this.#indexFrame(frame);
      position = chunk.base + chunk.bytes.length;
      this.#index.reach(position);
      await this.#index.flush();
    }
  }

  #indexFrame({ stream, revision, position, id, data, type }: Frame): void {
    const before = this.#index.state(stream) ?? FRESH;
    const state = { ...before, last: revision };
    this.#index.add({ stream, revision, position, id: Buffer.from(id) }, state);
    const subject = type === '$metadata' ? subjectOf(stream) : undefined;
    if (subject !== undefined) this.#applyMetadata(subject, data);
  }

  #applyMetadata(stream: string, data: Buffer): void {
    const { before, maxCount } = metadataOf(data);
    const deleted = before === DELETED_BEFORE;
    const state = this.#index.state(stream) ?? FRESH;
    // After a soft delete the numbering goes on, so what is hidden ends at the last event.
    const hidden = deleted ? state.last + 1 : Number(before);
    this.#index.setState(stream, { ...state, before: hidden, maxCount, deleted });
  }

  /** The state with what is in flight. */
  #decidedOn(stream: string): StreamState {
    return this.#inFlight.get(stream)?.state ?? this.#index.state(stream) ?? FRESH;
  }

  state(stream: string): StreamState | undefined {
    return this.#index.state(stream);
  }

  /** Lowest revision that a reader of the stream may see. */
  firstVisible({ last, before, maxCount }: StreamState): number {
    return Math.max(before, maxCount > 0 ? last - maxCount + 1 : 0);
  }

  position(stream: string, revision: number): number | undefined {
    return this.#index.position(stream, revision);
  }

  /** Appends all events or none, and answers when they are on disk. */
  async append(stream: string, expected: Expected, events: readonly Proposed[]): Promise<Outcome> {
    const state = this.#decidedOn(stream);
    if (this.#mayBeRepeat(stream, expected, state, events)) {
      if (this.#inFlight.has(stream)) await this.log.settled();
      return this.#appendSettled(stream, expected, events);
    }
    return this.#write(stream, state, events);
  }

  #mayBeRepeat(
    stream: string,
    expected: Expected,
    state: StreamState,
    events: readonly Proposed[],
  ): boolean {
    if (events.length === 0) return true;
    if (typeof expected === 'number')
      return expected !== currentOf(state) && !writableAt(state, expected);
    if (expected === 'stream_exists' && currentOf(state) < 0) return true;
    const first = events[0]?.id ?? Buffer.alloc(0);
    return (
      this.#inFlight.get(stream)?.ids.has(first.toString('latin1')) === true ||
      this.#index.revisionOf(stream, first) !== undefined
    );
  }

  /** With nothing of the stream in flight: a repeat, a lost race, or after all a new append. */
  async #appendSettled(
    stream: string,
    expected: Expected,
    events: readonly Proposed[],
  ): Promise<Outcome> {
    const state = this.#decidedOn(stream);
    const current = currentOf(state);
    const wrong: Outcome = { ok: false, reason: 'wrong_expected', current };
    if (expected === 'stream_exists' && current < 0)
      return state.deleted ? { ok: false, reason: 'deleted' } : wrong;
    const fits =
      typeof expected !== 'number' || expected === current || writableAt(state, expected);
    if (!fits) return (await this.#repeatAt(stream, expected, events)) ?? wrong;
    if (events.length === 0) return { ok: true, revision: current, position: this.log.committed };
    return typeof expected === 'number'
      ? this.#write(stream, state, events)
      : this.#appendUnlessKnown(stream, state, events);
  }

  /** Without an exact revision a repeat is known by the ids alone, whatever their order. */
  async #appendUnlessKnown(
    stream: string,
    state: StreamState,
    events: readonly Proposed[],
  ): Promise<Outcome> {
    const revisions = events.map(({ id }) => this.#index.revisionOf(stream, id));
    const [first] = revisions;
    const last = revisions.at(-1);
    if (first === undefined) return this.#write(stream, state, events);
    return revisions.includes(undefined) || last === undefined
      ? { ok: false, reason: 'wrong_expected', current: currentOf(state) }
      : this.#known(stream, last);
  }

  #known(stream: string, revision: number): Outcome {
    return { ok: true, revision, position: this.#index.position(stream, revision) ?? 0 };
  }

  /** The original outcome, where the same ids stand in the same order from `expected + 1` on. */
  async #repeatAt(
    stream: string,
    expected: number,
    events: readonly Proposed[],
  ): Promise<Outcome | undefined> {
    if (events.length === 0) return undefined;
    for (const [at, { id }] of events.entries()) {
      const frame = await this.frame(stream, expected + 1 + at);
      if (!frame?.id.equals(id)) return undefined;
    }
    return this.#known(stream, expected + events.length);
  }

  async #write(stream: string, state: StreamState, events: readonly Proposed[]): Promise<Outcome> {
    const frames: NewFrame[] = events.map((event, at) => ({
      ...event,
      stream,
      revision: state.last + 1 + at,
      last: at === events.length - 1 && !state.deleted,
      created: this.#tick(),
    }));
    // A stream that is written to again after its soft delete shows only what is new.
    if (state.deleted) frames.push(this.#metadata(stream, { $tb: state.last + 1 }));
    const encoded = frames.map(encodeFrame);
    const written = { ...state, last: state.last + events.length, deleted: false };
    const inFlight = this.#enter(stream, written, events);
    let position = this.log.next;
    const places = encoded.map((bytes) => {
      const place = position;
      position += bytes.length;
      return place;
    });
    try {
      await this.log.append(encoded);
    } catch (error) {
      this.#inFlight.clear();
      throw error;
    }
    for (const [at, frame] of frames.entries())
      this.#indexFrame({ ...frame, position: places[at] ?? 0, size: encoded[at]?.length ?? 0 });
    this.#index.reach(position);
    this.#leave(stream, inFlight);
    return { ok: true, revision: written.last, position: places[events.length - 1] ?? 0 };
  }

  #enter(stream: string, state: StreamState, events: readonly Proposed[]): InFlight {
    const inFlight = this.#inFlight.get(stream) ?? { state, ids: new Set<string>(), appends: 0 };
    inFlight.state = state;
    inFlight.appends += 1;
    for (const { id } of events) inFlight.ids.add(id.toString('latin1'));
    this.#inFlight.set(stream, inFlight);
    return inFlight;
  }

  #leave(stream: string, inFlight: InFlight): void {
    inFlight.appends -= 1;
    if (inFlight.appends === 0) this.#inFlight.delete(stream);
  }

  #metadata(stream: string, content: Readonly<Record<string, unknown>>): NewFrame {
    const subject = `$$${stream}`;
    const held = this.#decidedOn(subject);
    return {
      id: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
      stream: subject,
      type: '$metadata',
      json: true,
      data: Buffer.from(JSON.stringify(content)),
      metadata: Buffer.alloc(0),
      revision: held.last + 1,
      last: true,
      created: this.#tick(),
    };
  }

  /** Hides everything a stream holds; its numbering goes on. */
  async softDelete(stream: string, expected: Expected): Promise<Outcome> {
    const state = this.#decidedOn(stream);
    const current = currentOf(state);
    if (state.last < 0 || (typeof expected === 'number' && expected !== current))
      return { ok: false, reason: 'wrong_expected', current };
    const { id, type, json, metadata } = this.#metadata(stream, {});
    // Past what JSON.stringify can write exactly.
    const data = Buffer.from(`{"$tb":${DELETED_BEFORE}}`);
    return this.append(`$$${stream}`, 'any', [{ id, type, json, metadata, data }]);
  }

  /** Two events never share a tick, and the clock going back is not seen. */
  #tick(): bigint {
    const now = BigInt(Date.now()) * TICKS_PER_MS;
    this.#lastCreated = now > this.#lastCreated ? now : this.#lastCreated + 1n;
    return this.#lastCreated;
  }

  /** The event at a revision. */
  async frame(stream: string, revision: number): Promise<Frame | undefined> {
    const position = this.#index.position(stream, revision);
    return position === undefined ? undefined : this.frameAt(position);
  }

  /** The event at a position that is known to be one's. */
  async frameAt(position: number): Promise<Frame | undefined> {
    const chunk = await this.log.read(position, 16 * 1024);
    return chunk && decodeFrame(chunk.bytes, 0, chunk.base);
  }

  /** Whether an event, or the end of the log, is at a position. */
  async isBoundary(position: number): Promise<boolean> {
    if (position === this.log.committed || position === 0) return true;
    const frame = await this.frameAtAny(position);
    return frame !== undefined && this.#index.position(frame.stream, frame.revision) === position;
  }

  /** What stands at a position, if it could be an event. */
  async frameAtAny(position: number): Promise<Frame | undefined> {
    const chunk = await this.log.read(position, 16 * 1024);
    if (!chunk || frameSize(chunk.bytes, 0) === 0) return undefined;
    try {
      return decodeFrame(chunk.bytes, 0, chunk.base);
    } catch {
      // The lengths in the middle of some event's bytes point anywhere: no event begins here.
      return undefined;
    }
  }

  async close(): Promise<void> {
    await this.log.settled();
    await this.#index.close();
    await this.log.close();
  }
}

/** The revision that a writer must expect; -1 for no stream and after a soft delete. */
const currentOf = ({ last, deleted }: StreamState): number => (deleted ? -1 : last);

/** A soft-deleted stream may also be written to as if it were still there. */
const writableAt = ({ last, deleted }: StreamState, expected: number): boolean =>
  deleted && expected === last;

/** The frames of a chunk, in order. */
export function* framesOf({ base, bytes }: Chunk): Generator<Frame> {
  let at = 0;
  for (let size = frameSize(bytes, at); size > 0; size = frameSize(bytes, at)) {
    yield decodeFrame(bytes, at, base);
    at += size;
  }
}

const metadataOf = (data: Buffer): { before: bigint; maxCount: number } => {
  const text = data.toString('utf8');
  // `$tb` may be larger than a JSON number can hold exactly.
  const before = /"\$tb"\s*:\s*(\d+)/u.exec(text)?.[1] ?? '0';
  const maxCount = /"\$maxCount"\s*:\s*(\d+)/u.exec(text)?.[1] ?? '0';
  return { before: BigInt(before), maxCount: Number(maxCount) };
};
