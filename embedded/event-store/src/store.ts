import { randomUUID } from 'node:crypto';
import { encodeFrame, framesOf, type Frame, type NewFrame } from './frame.js';
import { IndexStore } from './index-store.js';
import { Log } from './log.js';
import { stopAtOnce } from './stop.js';
import {
  currentOf,
  DELETED_BEFORE,
  FRESH,
  subjectOf,
  withMetadata,
  writableAt,
  type StreamState,
} from './stream-state.js';

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

type Placed = Readonly<{ frame: NewFrame; bytes: Buffer; position: number }>;

/** A stream with events that are not on disk yet: decided on as if they were. */
type Ahead = {
  state: StreamState;
  revisions: Map<string, number>;
  events: Map<number, Placed>;
  frames: number;
};

/** An index that has served for so long (ms) will not end the process at its next page. */
const INDEX_TRIAL_MS = 5_000;
/** Ticks of 100 ns in a millisecond, the unit of `created`. */
const TICKS_PER_MS = 10_000n;

/** Streams and their rules, over the log and its index. */
export class Store {
  readonly log: Log;
  readonly #index: IndexStore;
  readonly #ahead = new Map<string, Ahead>();
  #lastCreated = 0n;
  #trial: NodeJS.Timeout | undefined;

  private constructor(log: Log, index: IndexStore) {
    this.log = log;
    this.#index = index;
    log.onFailure(() => this.#ahead.clear());
  }

  /** Opens a data folder; indexes what the index has not seen. */
  static async open(folder: string, segmentBytes: number): Promise<Store> {
    let index = await IndexStore.open(folder);
    let log: Log | undefined;
    try {
      log = await Log.open(folder, segmentBytes, index.reached);
      if (!(await log.isBoundary(index.reached))) index = await IndexStore.fresh(index, folder);
      const store = new Store(log, index);
      await store.#catchUp();
      store.#endTrialLater();
      return store;
    } catch (error) {
      await index.close();
      await log?.close();
      throw error;
    }
  }

  #endTrialLater(): void {
    this.#trial = setTimeout(() => void this.#index.trusted(), INDEX_TRIAL_MS);
    this.#trial.unref();
  }

  async #catchUp(): Promise<void> {
    let position = this.#index.reached;
    for (;;) {
      const chunk = await this.log.read(position);
      if (!chunk) break;
      for (const frame of framesOf(chunk)) this.#indexFrame(frame, frame.position);
      position = chunk.base + chunk.bytes.length;
      this.#index.reach(position);
      await this.#index.roomy();
    }
    await this.#index.flush();
  }

  #indexFrame({ stream, revision, id, data, type }: NewFrame, position: number): void {
    const state = { ...(this.#index.state(stream) ?? FRESH), last: revision };
    // The index outlives the bytes that an event came in.
    this.#index.add({ stream, revision, position, id: Buffer.from(id) }, state);
    const subject = subjectOf(stream, type);
    if (subject !== undefined)
      this.#index.setState(subject, withMetadata(this.#index.state(subject) ?? FRESH, data));
  }

  /** What is on disk of a stream. */
  state(stream: string): StreamState | undefined {
    return this.#index.state(stream);
  }

  /** The state with what is on its way to the disk. */
  #decidedOn(stream: string): StreamState {
    return this.#ahead.get(stream)?.state ?? this.#index.state(stream) ?? FRESH;
  }

  #revisionOf(stream: string, id: Buffer): number | undefined {
    const ahead = this.#ahead.get(stream)?.revisions.get(id.toString('latin1'));
    return ahead ?? this.#index.revisionOf(stream, id);
  }

  #known(stream: string, revision: number): Outcome {
    const ahead = this.#ahead.get(stream)?.events.get(revision);
    const position = ahead?.position ?? this.#index.position(stream, revision) ?? 0;
    return { ok: true, revision, position };
  }

  /**
   * Appends all events or none, and answers when they are on disk. Decided before it returns, so
   * appends are executed in the order of the calls.
   */
  async append(stream: string, expected: Expected, events: readonly Proposed[]): Promise<Outcome> {
    const decided = this.#decide(stream, expected, events);
    if (decided === 'write') return this.#write(stream, events);
    return this.#answer(stream, decided);
  }

  /** An answer that stands on events that are not on disk yet waits until they are. */
  async #answer(stream: string, outcome: Outcome): Promise<Outcome> {
    if (this.#ahead.has(stream)) await this.log.barrier();
    return outcome;
  }

  #decide(stream: string, expected: Expected, events: readonly Proposed[]): Outcome | 'write' {
    const state = this.#decidedOn(stream);
    const current = currentOf(state);
    const wrong: Outcome = { ok: false, reason: 'wrong_expected', current };
    if (expected === 'stream_exists' && current < 0)
      return state.deleted ? { ok: false, reason: 'deleted' } : wrong;
    if (typeof expected === 'number' && expected !== current && !writableAt(state, expected))
      return this.#repeatAt(stream, expected, events) ?? wrong;
    if (events.length === 0) return { ok: true, revision: current, position: this.log.committed };
    return typeof expected === 'number' ? 'write' : this.#unlessKnown(stream, events, wrong);
  }

  /** Without an exact revision a repeat is known by the ids alone, whatever their order. */
  #unlessKnown(stream: string, events: readonly Proposed[], wrong: Outcome): Outcome | 'write' {
    let revision: number | undefined;
    for (const [at, { id }] of events.entries()) {
      revision = this.#revisionOf(stream, id);
      if (revision === undefined) return at === 0 ? 'write' : wrong;
    }
    return revision === undefined ? 'write' : this.#known(stream, revision);
  }

  /** The original outcome, where the same ids stand in the same order from `expected + 1` on. */
  #repeatAt(stream: string, expected: number, events: readonly Proposed[]): Outcome | undefined {
    if (events.length === 0) return undefined;
    const ahead = this.#ahead.get(stream)?.events;
    for (const [at, { id }] of events.entries()) {
      const revision = expected + 1 + at;
      const held = ahead?.get(revision)?.frame.id ?? this.#index.id(stream, revision);
      if (!held?.equals(id)) return undefined;
    }
    return this.#known(stream, expected + events.length);
  }

  async #write(stream: string, events: readonly Proposed[]): Promise<Outcome> {
    const { last, deleted, maxCount } = this.#decidedOn(stream);
    const frames: NewFrame[] = events.map((event, at) => ({
      ...event,
      stream,
      revision: last + 1 + at,
      last: at === events.length - 1 && !deleted,
      created: this.#tick(),
    }));
    // A stream that is written to again after its soft delete shows only what is new.
    if (deleted)
      frames.push(
        this.#metadata(stream, { $tb: last + 1, ...(maxCount > 0 ? { $maxCount: maxCount } : {}) }),
      );
    let position = this.log.next;
    const placed = frames.map((frame): Placed => {
      const bytes = encodeFrame(frame);
      position += bytes.length;
      return { frame, bytes, position: position - bytes.length };
    });
    for (const one of placed) this.#enter(one);
    const bytes = placed.map((one) => one.bytes);
    await this.log.append(bytes, () => this.#land(placed, position));
    const end = placed[events.length - 1];
    return { ok: true, revision: last + events.length, position: end?.position ?? 0 };
  }

  #aheadOf(stream: string): Ahead {
    let ahead = this.#ahead.get(stream);
    if (!ahead) {
      const state = this.#decidedOn(stream);
      ahead = { state, revisions: new Map(), events: new Map(), frames: 0 };
      this.#ahead.set(stream, ahead);
    }
    ahead.frames += 1;
    return ahead;
  }

  #enter(placed: Placed): void {
    const { stream, type, id, revision, data } = placed.frame;
    const ahead = this.#aheadOf(stream);
    ahead.state = { ...ahead.state, last: revision };
    ahead.revisions.set(id.toString('latin1'), revision);
    ahead.events.set(revision, placed);
    const subject = subjectOf(stream, type);
    if (subject === undefined) return;
    const concerned = this.#aheadOf(subject);
    concerned.state = withMetadata(concerned.state, data);
  }

  #land(placed: readonly Placed[], end: number): void {
    for (const { frame, position } of placed) {
      this.#indexFrame(frame, position);
      this.#leave(frame.stream);
      const subject = subjectOf(frame.stream, frame.type);
      if (subject !== undefined) this.#leave(subject);
    }
    this.#index.reach(end);
  }

  #leave(stream: string): void {
    const ahead = this.#ahead.get(stream);
    if (!ahead) return;
    ahead.frames -= 1;
    if (ahead.frames === 0) this.#ahead.delete(stream);
  }

  #metadata(stream: string, content: Readonly<Record<string, unknown>>): NewFrame {
    const subject = `$$${stream}`;
    return {
      id: Buffer.from(randomUUID().replaceAll('-', ''), 'hex'),
      stream: subject,
      type: '$metadata',
      json: true,
      data: Buffer.from(JSON.stringify(content)),
      metadata: Buffer.alloc(0),
      revision: this.#decidedOn(subject).last + 1,
      last: true,
      created: this.#tick(),
    };
  }

  /** Hides everything a stream holds; its numbering goes on. */
  async softDelete(stream: string, expected: Expected): Promise<Outcome> {
    const state = this.#decidedOn(stream);
    const current = currentOf(state);
    if (state.last < 0 || (typeof expected === 'number' && expected !== current))
      return this.#answer(stream, { ok: false, reason: 'wrong_expected', current });
    // Larger than what JSON.stringify can write exactly.
    const data = Buffer.from(`{"$tb":${DELETED_BEFORE}}`);
    return this.#write(`$$${stream}`, [{ ...this.#metadata(stream, {}), data }]);
  }

  /** Two events never share a tick, and the clock going back is not seen. */
  #tick(): bigint {
    const now = BigInt(Date.now()) * TICKS_PER_MS;
    this.#lastCreated = now > this.#lastCreated ? now : this.#lastCreated + 1n;
    return this.#lastCreated;
  }

  /** Whether the index can lead to the event at a revision. */
  has(stream: string, revision: number): boolean {
    return this.#index.position(stream, revision) !== undefined;
  }

  /** The event at a revision that is there. */
  async frame(stream: string, revision: number): Promise<Frame> {
    const position = this.#index.position(stream, revision);
    const frame = position === undefined ? undefined : await this.log.frame(position);
    if (frame?.stream === stream && frame.revision === revision) return frame;
    // Every revision up to the last is there: an index that cannot lead to one is damaged.
    await this.#index.condemn();
    return stopAtOnce(
      `the index does not lead to revision ${revision} of ${stream}; stopping, to rebuild it at the next start.`,
    );
  }

  async close(): Promise<void> {
    clearTimeout(this.#trial);
    await this.log.settled();
    await this.#index.close();
    await this.log.close();
  }
}
