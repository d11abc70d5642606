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
  /** It was given to the wire: the server may have it. */
  tried?: true;
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

/** How a message of this device stands. */
export type OutboxState = 'queued' | 'sent' | 'delivered' | 'read' | 'failed' | 'cancelled';

/** A message of this device, as an application shows it from the moment it was said. */
export type OutboxItem = Readonly<{
  /** The command's id; the fact that it becomes has it as `clientId`. */
  id: string;
  conversationId: string;
  text: string;
  state: OutboxState;
  /** Times that it was sent and had no answer, or was to be sent later. */
  retries: number;
  /** The code of the last refusal or failure. */
  reason?: string;
  /** Its place, once it is in the log. */
  seq?: number;
}>;

/** A message that was refused: kept until the person sends it again or lets go of it. */
type Failed = Readonly<{ entry: Entry; retries: number; reason: string }>;

type Lane = { last: number; entries: Entry[]; isBusy: boolean };
type Promised = Readonly<{
  resolve: (accepted: Accepted) => void;
  reject: (error: ScriptaError) => void;
}>;

const entryKey = ({ order }: Entry): string => `outbox:${order}`;
const laneKey = (lane: string): string => `n:${lane}`;
const failedKey = (id: string): string => `failed:${id}`;

/** The command by which a message is said. */
const MESSAGE = 'message.send';
/** Refused messages that are kept; the oldest go first. */
const FAILED_MAX = 100;

/** Refusals after which it is sure that nothing was done. */
const UNDONE: ReadonlySet<string> = new Set(['rate_limited', 'closed']);

type About = Readonly<{ retries: number; reason?: string; seq?: number }>;

const itemOf = (
  { id, lane, data }: Entry,
  state: OutboxState,
  { retries, ...more }: About,
): OutboxItem => ({
  id,
  conversationId: lane,
  text: typeof data['text'] === 'string' ? data['text'] : '',
  state,
  retries,
  ...more,
});

/** What the outbox tells of. */
export type OutboxPort = Readonly<{
  ended: (ended: Ended) => void;
  /** A message stands otherwise than before. */
  changed: (item: OutboxItem) => void;
}>;

/**
 * Commands on their way. Of each conversation one is in flight; its `n` is the one after the last
 * that was accepted, so a refused command gives its `n` back and a retry is the same to the letter.
 */
export class Outbox {
  readonly #lanes = new Map<string, Lane>();
  readonly #promised = new Map<string, Promised>();
  /** By command id: how often it was tried in vain, and why it failed last. */
  readonly #tries = new Map<string, Readonly<{ retries: number; reason: string }>>();
  /** By command id: those that may have reached the server. */
  readonly #sent = new Set<string>();
  readonly #failed = new Map<string, Failed>();
  #order = 0;
  #isOpen = false;

  constructor(
    private readonly runtime: Runtime,
    private readonly storage: ScriptaStorage,
    private readonly carry: Carry,
    private readonly port: OutboxPort,
  ) {}

  /** Commands that have no answer yet. */
  get size(): number {
    let size = 0;
    for (const { entries } of this.#lanes.values()) size += entries.length;
    return size;
  }

  /** Messages that are not in the log: those on their way, in their order, and those refused. */
  get items(): readonly OutboxItem[] {
    const waiting = [...this.#lanes.values()]
      .flatMap(({ entries }) => entries)
      .filter(({ name }) => name === MESSAGE)
      .toSorted((one, other) => one.order - other.order)
      .map((entry) => itemOf(entry, 'queued', this.#about(entry)));
    const failed = [...this.#failed.values()].map(({ entry, retries, reason }) =>
      itemOf(entry, 'failed', { retries, reason }),
    );
    return [...waiting, ...failed];
  }

  /** Takes over what an earlier run has kept, in place of what is known. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    this.#lanes.clear();
    this.#failed.clear();
    const entries: Entry[] = [];
    for (const [key, value] of kept) {
      // Written by `put` below, under these keys only.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (key.startsWith('outbox:')) entries.push(value as Entry);
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      if (key.startsWith('failed:')) this.#failed.set(key.slice(7), value as Failed);
      if (key.startsWith('n:')) this.#lane(key.slice(2)).last = Number(value);
    }
    for (const entry of entries.toSorted((one, other) => one.order - other.order)) {
      this.#order = Math.max(this.#order, entry.order);
      if (entry.tried) this.#sent.add(entry.id);
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
    this.#change(entry);
    const promise = new Promise<Accepted>((resolve, reject) => {
      this.#promised.set(entryKey(entry), { resolve, reject });
    });
    this.#start(lane);
    return promise;
  }

  /**
   * Changes the text of a message that was never sent. Throws `already_sent` where it may have been:
   * then only the server could change it.
   */
  edit(id: string, text: string): void {
    const { lane, entry } = this.#unsent(id);
    const edited = { ...entry, data: { ...entry.data, text } };
    lane.entries[lane.entries.indexOf(entry)] = edited;
    this.storage.put(entryKey(edited), edited);
    this.#change(edited);
  }

  /** Takes back a message that was never sent, or lets go of a refused one. Throws `already_sent`. */
  cancel(id: string): void {
    const failed = this.#failed.get(id);
    if (failed) {
      this.#letGo(id);
      return this.port.changed(itemOf(failed.entry, 'cancelled', failed));
    }
    const { lane, entry } = this.#unsent(id);
    lane.entries.splice(lane.entries.indexOf(entry), 1);
    this.storage.put(entryKey(entry), undefined);
    this.port.changed(itemOf(entry, 'cancelled', { retries: 0 }));
    const message = 'It was taken back before it was sent.';
    this.#take(entry)?.reject(new ScriptaError({ code: 'cancelled', message, retryable: false }));
  }

  /** Sends a refused message again, after everything that was said since. */
  retry(id: string): Promise<Accepted> {
    const failed = this.#failed.get(id);
    if (!failed) return Promise.reject(unknownMessage());
    this.#letGo(id);
    const { order: _order, tried: _tried, ...about } = failed.entry;
    return this.enter(about);
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

  #unsent(id: string): Readonly<{ lane: Lane; entry: Entry }> {
    for (const lane of this.#lanes.values()) {
      const entry = lane.entries.find((waiting) => waiting.id === id && waiting.name === MESSAGE);
      if (!entry) continue;
      if (!this.#sent.has(id)) return { lane, entry };
      const message = 'It was sent; whether it arrived is not known yet.';
      throw new ScriptaError({ code: 'already_sent', message, retryable: false });
    }
    throw unknownMessage();
  }

  #letGo(id: string): void {
    this.#failed.delete(id);
    this.storage.put(failedKey(id), undefined);
  }

  #about({ id }: Entry): About {
    return this.#tries.get(id) ?? { retries: 0 };
  }

  #change(entry: Entry): void {
    if (entry.name === MESSAGE) this.port.changed(itemOf(entry, 'queued', this.#about(entry)));
  }

  /** Tells how a message ended; a refused one is kept. */
  #told(ended: Ended): void {
    const { entry } = ended;
    const about = this.#about(entry);
    this.#tries.delete(entry.id);
    this.#sent.delete(entry.id);
    if (entry.name !== MESSAGE) return;
    if ('accepted' in ended) {
      const seq = Number(ended.accepted.data['seq']);
      return this.port.changed(itemOf(entry, 'sent', { retries: about.retries, seq }));
    }
    const failed = { entry, retries: about.retries, reason: ended.error.code };
    this.#failed.set(entry.id, failed);
    this.storage.put(failedKey(entry.id), failed);
    const [oldest] = this.#failed.keys();
    if (oldest !== undefined && this.#failed.size > FAILED_MAX) this.#letGo(oldest);
    this.port.changed(itemOf(entry, 'failed', failed));
  }

  #take(entry: Entry): Promised | undefined {
    const promised = this.#promised.get(entryKey(entry));
    this.#promised.delete(entryKey(entry));
    return promised;
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
    const wasSent = this.#try(entry);
    try {
      const accepted = await this.carry(name, { v: 1, id, ...(isCounted ? { n } : {}), data });
      if (isCounted) this.#count(entry, lane, n);
      this.#end(lane, { entry, accepted });
      return undefined;
    } catch (thrown) {
      const error = thrown instanceof ScriptaError ? thrown : broken(thrown);
      const expected = expectedOf(error);
      if (expected !== undefined && expected !== n) {
        // This device has sent before and no longer knew how much.
        this.#count(entry, lane, expected - 1);
        return 0;
      }
      if (!wasSent && UNDONE.has(error.code)) this.#sent.delete(id);
      if (error.retryable) return this.#again(entry, error, attempt);
      this.#end(lane, { entry, error });
      // Else a device that loses its latest writes would send it again, after what was said later.
      await this.storage.flush();
      return undefined;
    }
  }

  /** Notes that the server may have an entry; whether it may have had it before. */
  #try(entry: Entry): boolean {
    if (this.#sent.has(entry.id)) return true;
    this.#sent.add(entry.id);
    this.storage.put(entryKey(entry), { ...entry, tried: true });
    return false;
  }

  /** How long to wait before an entry is tried again. */
  #again(entry: Entry, error: ScriptaError, attempt: number): number {
    const retries = this.#about(entry).retries + 1;
    this.#tries.set(entry.id, { retries, reason: error.code });
    this.#change(entry);
    return error.retryAfterMs ?? pauseMs(this.runtime, attempt, RETRY_MS_MAX);
  }

  #count({ lane: name }: Entry, lane: Lane, last: number): void {
    lane.last = last;
    this.storage.put(laneKey(name), last);
  }

  #end(lane: Lane, ended: Ended): void {
    lane.entries.shift();
    this.storage.put(entryKey(ended.entry), undefined);
    const promised = this.#take(ended.entry);
    if ('accepted' in ended) promised?.resolve(ended.accepted);
    else promised?.reject(ended.error);
    this.#told(ended);
    this.port.ended(ended);
  }
}

/** The `n` that would be right. */
const expectedOf = ({ code, details }: ScriptaError): number | undefined => {
  const { expected } = details;
  return code === 'out_of_order' && typeof expected === 'number' ? expected : undefined;
};

const unknownMessage = (): ScriptaError =>
  new ScriptaError({
    code: 'not_found',
    message: 'No such message waits here.',
    retryable: false,
  });

/** Neither an answer nor a refusal: whether it was done is not known, so it is tried again. */
const broken = (cause: unknown): ScriptaError =>
  new ScriptaError(
    { code: 'unknown_outcome', message: 'No answer; trying again.', retryable: true },
    { cause },
  );
