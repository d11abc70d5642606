import { Chains, type Breach } from './chains.js';
import type { Emitter } from './emitter.js';
import { ScriptaError } from './errors.js';
import type { ScriptaEvents } from './events.js';
import { Inbound } from './inbound.js';
import type { Link } from './link.js';
import type { Fact, Place, ReactionsSet, ReceiptsMoved, ResumePage } from './protocol.js';
import { pauseMs, type Cancel, type Runtime } from './runtime.js';
import { Seen } from './seen.js';
import type { ScriptaStorage } from './storage.js';

/** Acknowledgements go out this often, or after so many facts (design decision 9). */
const ACK_EVERY_MS = 100;
const ACK_EVERY_FACTS = 32;
/** Facts a page towards live holds: the most that the server gives. */
const PAGE_FACTS = 200;
/** Longest pause before a resume is tried again. */
const RESUME_RETRY_MS_MAX = 2_000;
/** A resume that is not answered by then: the connection is taken for dead. */
const RESUME_MS_MAX = 20_000;

/** Under this key the storage keeps where this device stands. */
const CURSOR_KEY = 'cursor';

/** Refusals of a cursor after which this device begins anew. */
const BEGIN_ANEW: ReadonlySet<string> = new Set(['resync_required', 'forbidden']);

/** Where a device stands: the server's cursor, and how far it has got since. */
type Standing = Readonly<{ cursor: string; position: string; id?: string }>;

const isStanding = (kept: unknown): kept is Standing =>
  typeof kept === 'object' && kept !== null && 'cursor' in kept && 'position' in kept;

/** What delivery stands on. */
export type DeliveryPort = Readonly<{
  link: () => Link;
  runtime: Runtime;
  storage: ScriptaStorage;
  emitter: Emitter<ScriptaEvents>;
  userId: () => string;
  fill: (fact: Fact, after: number) => Promise<readonly Fact[]>;
}>;

/** The receiving side: resumes from the cursor, shows facts, acknowledges what it has shown. */
export class Delivery {
  /** Checks what is shown; also pages of history that were asked for. */
  readonly chains: Chains;
  readonly #seen = new Seen();
  readonly #inbound: Inbound;
  #cursor: string | null = null;
  /** What was reached since the cursor was given. */
  #after: Place | undefined;
  #position = -1;
  #unacknowledged = 0;
  #cancelAck: Cancel | undefined;
  #cancelResume: Cancel | undefined;
  /** Raised whenever resuming begins anew, so that answers to earlier asking are ignored. */
  #round = 0;
  #attempt = 0;
  #isResync = false;

  constructor(private readonly port: DeliveryPort) {
    const { emitter, userId } = port;
    const breach = (found: Breach) => emitter.emit('integrity', found);
    this.chains = new Chains({ userId, breach });
    this.#inbound = new Inbound({
      fact: (fact) => {
        emitter.emit('fact', fact);
        emitter.emit(fact.type, fact);
      },
      receiptsMoved: (moved) => emitter.emit('receipts.moved', moved),
      receipts: (receipts) => emitter.emit('receipts', receipts),
      reactionsSet: (set) => emitter.emit('reactions.set', set),
      reactions: (reactions) => emitter.emit('reactions', reactions),
      fill: port.fill,
      reached: (place) => this.#reached(place),
      paged: (position, cursor) => this.#paged(position, cursor),
      chains: this.chains,
      seen: this.#seen,
    });
  }

  /** The last place in the log that was handled; -1 before the first. */
  get position(): number {
    return this.#position;
  }

  /** Takes over where an earlier run stood. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    const standing = kept.get(CURSOR_KEY);
    // A cursor by itself is of a kind that is no longer given: the server has the device begin anew.
    if (typeof standing === 'string') this.#cursor = standing;
    if (!isStanding(standing)) return;
    const { cursor, position, id } = standing;
    this.#cursor = cursor;
    this.#position = Number(position);
    if (id !== undefined) this.#after = { position, id };
    this.#seen.reset();
    this.#seen.begin(this.#position);
    this.chains.restore(kept);
    this.#inbound.restore(this.chains.seqs());
  }

  fact(fact: Fact): void {
    this.#inbound.fact(fact);
  }

  moved(moved: ReceiptsMoved): void {
    this.#inbound.moved(moved);
  }

  reacted(set: ReactionsSet): void {
    this.#inbound.reacted(set);
  }

  /** Connected, or fallen behind: goes from the cursor to live. */
  resume(): void {
    this.#round += 1;
    this.#attempt = 0;
    this.port.emitter.emit('state', 'resuming');
    this.#ask(this.#cursor, this.#after);
  }

  /** Disconnected: nothing is asked or acknowledged until the next resume. */
  stop(): void {
    this.#round += 1;
    this.#cancelAck?.();
    this.#cancelAck = undefined;
    this.#cancelResume?.();
    this.#save();
  }

  #ask(cursor: string | null, after?: Place): void {
    const round = this.#round;
    const link = this.port.link();
    this.#cancelResume?.();
    this.#cancelResume = this.port.runtime.after(RESUME_MS_MAX, () => link.interrupt());
    const from = cursor !== null && after ? { after } : {};
    link.ask('resume', { v: 1, cursor, ...from, limit: PAGE_FACTS }, (answer) => {
      if (round !== this.#round) return;
      this.#cancelResume?.();
      if (!answer.ok) return this.#refused(new ScriptaError(answer.error), cursor, after);
      const { data, position = '0' } = answer;
      if (cursor === null) this.#seen.begin(Number(position));
      // The server's pages are as the protocol says.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      this.#page(data as ResumePage, position);
    });
  }

  #page(page: ResumePage, position: string): void {
    this.#attempt = 0;
    this.#inbound.page(page, position);
    if (!page.live) return this.#ask(page.cursor);
    this.port.emitter.emit('state', 'live');
    if (!this.#isResync) return;
    this.#isResync = false;
    this.port.emitter.emit('resync', undefined);
  }

  /** The log is another: what was known of places in it is void. */
  #forget(): void {
    this.#inbound.reset();
    this.chains.reset();
    this.#seen.reset();
    this.#cursor = null;
    this.#after = undefined;
    this.#position = -1;
    this.chains.save(this.port.storage);
    this.port.storage.put(CURSOR_KEY, undefined);
  }

  #refused(error: ScriptaError, cursor: string | null, after: Place | undefined): void {
    if (cursor !== null && BEGIN_ANEW.has(error.code)) {
      // Live first, so that what is fetched anew leaves no hole before what comes.
      this.#forget();
      this.#isResync = true;
      return this.#ask(null);
    }
    const { runtime, link } = this.port;
    if (!error.retryable) return link().interrupt();
    const waitMs =
      error.retryAfterMs ?? pauseMs(runtime, (this.#attempt += 1), RESUME_RETRY_MS_MAX);
    const round = this.#round;
    this.#cancelResume = runtime.after(waitMs, () => {
      if (round === this.#round) this.#ask(cursor, after);
    });
  }

  #reached({ position, id }: Place): void {
    const reached = Number(position);
    if (reached <= this.#position) return;
    this.#position = reached;
    this.#after = { position, id };
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_EVERY_FACTS) this.#acknowledge();
    else this.#acknowledgeSoon();
  }

  #paged(position: string, cursor: string): void {
    this.#cursor = cursor;
    this.#after = undefined;
    this.#position = Math.max(this.#position, Number(position));
    this.#acknowledgeSoon();
  }

  #acknowledgeSoon(): void {
    this.#cancelAck ??= this.port.runtime.after(ACK_EVERY_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#cancelAck?.();
    this.#cancelAck = undefined;
    this.#unacknowledged = 0;
    this.#save();
    const seen = this.#seen.sum;
    const position = String(Math.max(this.#position, 0));
    this.port.link().tell('ack', { v: 1, position, ...(seen ? { seen } : {}) });
  }

  /** What was checked goes before where it is resumed: a tail that is lost is shown, not missed. */
  #save(): void {
    this.chains.save(this.port.storage);
    if (this.#cursor === null) return;
    const position = String(this.#position);
    const id = this.#after ? { id: this.#after.id } : {};
    this.port.storage.put(CURSOR_KEY, { cursor: this.#cursor, position, ...id });
  }
}
