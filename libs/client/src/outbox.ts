import { ScriptaError } from './errors.js';
import type { Accepted } from './protocol.js';
import { pauseMs, sleep, uuid7, type Runtime } from './runtime.js';
import type { ScriptaStorage } from './storage.js';

/** Longest pause before a command that met an outage is tried again. */
const RETRY_MS_MAX = 5_000;

/** A command that waits for its answer. */
export type Entry = Readonly<{
  /** Order of entering, over all lanes. */
  order: number;
  /** What is counted by `n`: a conversation; other lanes go without. */
  lane: string;
  isCounted: boolean;
  id: string;
  name: string;
  data: Readonly<Record<string, unknown>>;
}>;

/** What goes out for an entry. */
export type Outgoing = Readonly<{
  v: 1;
  id: string;
  n?: number;
  data: Entry['data'];
}>;

/**
 * Carries a command over. Throws a `ScriptaError` for a refusal; `unknown_outcome` for a time-out or
 * a broken connection.
 */
export type Carry = (name: string, command: Outgoing) => Promise<Accepted>;

/** How a command ended. */
export type Ended = Readonly<{ entry: Entry }> &
  (Readonly<{ accepted: Accepted }> | Readonly<{ error: ScriptaError }>);

type Lane = { last: number; entries: Entry[]; isBusy: boolean };
type Promised = Readonly<{
  resolve: (accepted: Accepted) => void;
  reject: (error: ScriptaError) => void;
}>;

const entryKey = ({ order }: Entry): string => `outbox:${order}`;
const laneKey = (lane: string): string => `n:${lane}`;

/**
 * Commands on their way. Of each conversation one is in flight; its `n` is the one after the last
 * that was accepted, so a refused command gives its `n` back and a retry is the same to the letter.
 */
export class Outbox {
  readonly #lanes = new Map<string, Lane>();
  readonly #promised = new Map<string, Promised>();
  #order = 0;
  #isOpen = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly storage: ScriptaStorage,
    private readonly carry: Carry,
    private readonly ended: (ended: Ended) => void,
  ) {}

  /** Commands that have no answer yet. */
  get size(): number {
    let size = 0;
    for (const { entries } of this.#lanes.values()) size += entries.length;
    return size;
  }

  /** Takes over what an earlier run has kept. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    const entries: Entry[] = [];
    for (const [key, value] of kept) {
      // Written by `put` below, under these keys only.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (key.startsWith('outbox:')) entries.push(value as Entry);
      if (key.startsWith('n:')) this.#lane(key.slice(2)).last = Number(value);
    }
    for (const entry of entries.toSorted((one, other) => one.order - other.order)) {
      this.#order = Math.max(this.#order, entry.order);
      this.#lane(entry.lane).entries.push(entry);
    }
  }

  /** A command enters. Resolves when it is in the log, however often that had to be tried. */
  enter(
    about: Pick<Entry, 'lane' | 'isCounted' | 'name' | 'data'> &
      Readonly<{ id?: string | undefined }>,
  ): Promise<Accepted> {
    const id = about.id ?? uuid7(this.runtime);
    const entry: Entry = { ...about, order: ++this.#order, id };
    this.storage.put(entryKey(entry), entry);
    const lane = this.#lane(entry.lane);
    lane.entries.push(entry);
    const promise = new Promise<Accepted>((resolve, reject) => {
      this.#promised.set(entryKey(entry), { resolve, reject });
    });
    this.#start(lane);
    return promise;
  }

  /** The connection is there: what waits goes out. */
  open(): void {
    this.#isOpen = true;
    for (const lane of this.#lanes.values()) this.#start(lane);
  }

  /** The connection is gone: what waits stays. */
  close(): void {
    this.#isOpen = false;
  }

  /** Gives up on everything that waits; it is kept for the next run. */
  abandon(error: ScriptaError): void {
    this.close();
    for (const { reject } of this.#promised.values()) reject(error);
    this.#promised.clear();
  }

  #lane(name: string): Lane {
    let lane = this.#lanes.get(name);
    if (!lane) this.#lanes.set(name, (lane = { last: 0, entries: [], isBusy: false }));
    return lane;
  }

  #start(lane: Lane): void {
    if (!lane.isBusy && this.#isOpen) void this.#work(lane);
  }

  async #work(lane: Lane): Promise<void> {
    lane.isBusy = true;
    let attempt = 0;
    for (let entry = lane.entries[0]; entry && this.#isOpen; entry = lane.entries[0]) {
      const pause = await this.#attempt(lane, entry, attempt);
      attempt = pause === undefined ? 0 : attempt + 1;
      if (pause !== undefined && pause > 0) await sleep(this.runtime, pause);
    }
    lane.isBusy = false;
  }

  /** Tries once. Gives how long to wait before the same is tried again, nothing when it ended. */
  async #attempt(lane: Lane, entry: Entry, attempt: number): Promise<number | undefined> {
    const { id, name, data, isCounted } = entry;
    const n = lane.last + 1;
    try {
      const accepted = await this.carry(name, { v: 1, id, ...(isCounted ? { n } : {}), data });
      if (isCounted) this.#count(entry, lane, n);
      this.#end(lane, { entry, accepted });
      return undefined;
    } catch (thrown) {
      const error = thrown instanceof ScriptaError ? thrown : broken(thrown);
      const { expected } = error.details;
      if (error.code === 'out_of_order' && typeof expected === 'number' && expected !== n) {
        // This device has sent before and no longer knew how much.
        this.#count(entry, lane, expected - 1);
        return 0;
      }
      if (error.retryable)
        return error.retryAfterMs ?? pauseMs(this.runtime, attempt, RETRY_MS_MAX);
      this.#end(lane, { entry, error });
      return undefined;
    }
  }

  #count({ lane: name }: Entry, lane: Lane, last: number): void {
    lane.last = last;
    this.storage.put(laneKey(name), last);
  }

  #end(lane: Lane, ended: Ended): void {
    const key = entryKey(ended.entry);
    lane.entries.shift();
    this.storage.put(key, undefined);
    const promised = this.#promised.get(key);
    this.#promised.delete(key);
    if ('accepted' in ended) promised?.resolve(ended.accepted);
    else promised?.reject(ended.error);
    this.ended(ended);
  }
}

/** Neither an answer nor a refusal: whether it was done is not known, so it is tried again. */
const broken = (cause: unknown): ScriptaError =>
  new ScriptaError(
    { code: 'unknown_outcome', message: 'No answer; trying again.', retryable: true },
    { cause },
  );
