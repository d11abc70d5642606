import type { Emitter } from './emitter.js';
import { ScriptaError } from './errors.js';
import type { ScriptaEvents } from './events.js';
import { Inbound } from './inbound.js';
import type { Link } from './link.js';
import type { Fact, ReceiptsMoved, ResumePage } from './protocol.js';
import { pauseMs, type Cancel, type Runtime } from './runtime.js';

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

/** What delivery stands on. */
export type DeliveryPort = Readonly<{
  link: () => Link;
  runtime: Runtime;
  storage: ScriptaStorage;
  emitter: Emitter<ScriptaEvents>;
  fill: (fact: Fact, after: number) => Promise<readonly Fact[]>;
}>;

/** The receiving side: resumes from the cursor, shows facts, acknowledges what it has shown. */
export class Delivery {
  readonly #inbound: Inbound;
  #cursor: string | null = null;
  #position = -1;
  #unacknowledged = 0;
  #cancelAck: Cancel | undefined;
  #cancelResume: Cancel | undefined;
  /** Raised whenever resuming begins anew, so that answers to earlier asking are ignored. */
  #round = 0;
  #attempt = 0;
  #isResync = false;

  constructor(private readonly port: DeliveryPort) {
    const { emitter } = port;
    this.#inbound = new Inbound({
      fact: (fact) => {
        emitter.emit('fact', fact);
        emitter.emit(fact.type, fact);
      },
      receiptsMoved: (moved) => emitter.emit('receipts.moved', moved),
      receipts: (receipts) => emitter.emit('receipts', receipts),
      fill: port.fill,
      reached: (position, cursor) => this.#reached(position, cursor),
    });
  }

  /** Where this device stands; null until it has been live once. */
  get cursor(): string | null {
    return this.#cursor;
  }

  /** Takes over where an earlier run stood. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    const cursor = kept.get(CURSOR_KEY);
    this.#cursor = typeof cursor === 'string' ? cursor : null;
  }

  fact(fact: Fact): void {
    this.#inbound.fact(fact);
  }

  moved(moved: ReceiptsMoved): void {
    this.#inbound.moved(moved);
  }

  /** Connected, or fallen behind: goes from the cursor to live. */
  resume(): void {
    this.#round += 1;
    this.#attempt = 0;
    this.port.emitter.emit('state', 'resuming');
    this.#ask(this.#cursor);
  }

  /** Disconnected: nothing is asked or acknowledged until the next resume. */
  stop(): void {
    this.#round += 1;
    this.#cancelAck?.();
    this.#cancelAck = undefined;
    this.#cancelResume?.();
    this.#save();
  }

  #ask(cursor: string | null): void {
    const round = this.#round;
    const link = this.port.link();
    this.#cancelResume?.();
    this.#cancelResume = this.port.runtime.after(RESUME_MS_MAX, () => link.interrupt());
    link.ask('resume', { v: 1, cursor, limit: PAGE_FACTS }, (answer) => {
      if (round !== this.#round) return;
      this.#cancelResume?.();
      if (!answer.ok) return this.#refused(new ScriptaError(answer.error), cursor);
      // The server's pages are as the protocol says.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      this.#page(answer.data as ResumePage, answer.position ?? '0');
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

  #refused(error: ScriptaError, cursor: string | null): void {
    if (error.code === 'resync_required') {
      // Live first, so that what is fetched anew leaves no hole before what comes.
      this.#inbound.reset();
      this.#cursor = null;
      this.#position = -1;
      this.#isResync = true;
      return this.#ask(null);
    }
    const { runtime, link } = this.port;
    if (!error.retryable) return link().interrupt();
    const waitMs =
      error.retryAfterMs ?? pauseMs(runtime, (this.#attempt += 1), RESUME_RETRY_MS_MAX);
    const round = this.#round;
    this.#cancelResume = runtime.after(waitMs, () => {
      if (round === this.#round) this.#ask(cursor);
    });
  }

  #reached(position: string, cursor: string): void {
    const reached = Number(position);
    if (reached < this.#position) return;
    this.#position = reached;
    this.#cursor = cursor;
    this.#unacknowledged += 1;
    if (this.#unacknowledged >= ACK_EVERY_FACTS) this.#acknowledge();
    else this.#cancelAck ??= this.port.runtime.after(ACK_EVERY_MS, () => this.#acknowledge());
  }

  #acknowledge(): void {
    this.#cancelAck?.();
    this.#cancelAck = undefined;
    this.#unacknowledged = 0;
    this.#save();
    this.port.link().tell('ack', { v: 1, position: String(Math.max(this.#position, 0)) });
  }

  #save(): void {
    if (this.#cursor !== null) this.port.storage.put(CURSOR_KEY, this.#cursor);
  }
}
