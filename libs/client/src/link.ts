import { ScriptaError, type Refusal } from './errors.js';
import {
  FACT_TYPES,
  type Fact,
  type Notice,
  type OwnNotice,
  type ReactionsSet,
  type ReceiptsMoved,
  type Welcome,
} from './protocol.js';
import { pauseMs, type Cancel, type Runtime } from './runtime.js';
import { socketIo, type Transport, type Wire } from './transport.js';

/** An acknowledgement later than this tells nothing: the outcome is unknown. */
const ANSWER_MS_MAX = 10_000;
/** A connection that is not greeted by then is tried anew. */
const CONNECT_MS_MAX = 15_000;

/** An answer as it stands on the wire. */
export type Answer = Readonly<{
  ok: true;
  duplicate?: boolean;
  data: Readonly<Record<string, unknown>>;
  position?: string;
}>;

/** What the link tells of. */
export type LinkPort = Readonly<{
  token: () => string;
  welcome: (welcome: Welcome) => void;
  fact: (fact: Fact) => void;
  moved: (moved: ReceiptsMoved) => void;
  reacted: (set: ReactionsSet) => void;
  behind: () => void;
  account: (notice: Notice) => void;
  own: (notice: OwnNotice) => void;
  /** The connection is gone; `next` is what the link does about it. */
  down: (next: 'retrying' | 'over', error: ScriptaError) => void;
}>;

type WireAnswer = Answer | Readonly<{ ok: false; error: Refusal }>;

const FACTS: ReadonlySet<string> = new Set(FACT_TYPES);

/** Reasons after which trying again by oneself would be wrong. */
const FINAL_CODES: ReadonlySet<string> = new Set(['unauthorized', 'replaced', 'bad_request']);

const disconnected = (cause?: unknown): ScriptaError =>
  new ScriptaError(
    {
      code: 'disconnected',
      message: 'The connection is gone; whether this was done is not known yet.',
      retryable: true,
      retryAfterMs: 0,
    },
    { cause },
  );

/** The connection: kept connected, with a jittered backoff, until it is closed or refused for good. */
export class Link {
  #wire: Wire | undefined;
  #attempt = 0;
  #reason: ScriptaError | undefined;
  #cancel: Cancel | undefined;
  #isClosed = true;
  readonly #waiting = new Set<(error: ScriptaError) => void>();

  constructor(
    private readonly url: string,
    private readonly runtime: Runtime,
    private readonly port: LinkPort,
    private readonly transport: Transport = socketIo,
  ) {}

  /** Connects, and stays connected. */
  open(): void {
    if (!this.#isClosed) return;
    this.#isClosed = false;
    this.#connect();
  }

  /** Disconnects for good. */
  close(): void {
    this.#isClosed = true;
    this.#drop(disconnected());
  }

  /** Cuts the connection as a network would; it is built anew by itself. */
  interrupt(): void {
    if (!this.#wire) return;
    this.#wire.cut();
    this.#lost(disconnected());
  }

  /** Sends and waits for the answer. Throws a `ScriptaError`; without an answer it is retryable. */
  request(name: string, payload: object): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void) => {
        cancel();
        this.#waiting.delete(fail);
        settled();
      };
      const fail = (error: ScriptaError) => settle(() => reject(error));
      const cancel = this.runtime.after(ANSWER_MS_MAX, () => fail(disconnected()));
      this.#waiting.add(fail);
      if (!this.#wire?.isOpen()) return fail(disconnected());
      this.#wire.emit(name, payload, (answer: WireAnswer) => {
        if (answer.ok) settle(() => resolve(answer));
        else fail(new ScriptaError(answer.error));
      });
    });
  }

  /**
   * Sends and calls back at the very moment of the answer, before anything that came after it on
   * the wire; nothing is called when the connection breaks first.
   */
  ask(name: string, payload: object, answered: (answer: WireAnswer) => void): void {
    this.#wire?.emit(name, payload, answered);
  }

  /** Sends without an answer. */
  tell(name: string, payload: object): void {
    if (this.#wire?.isOpen()) this.#wire.emit(name, payload);
  }

  #connect(): void {
    const auth = { token: this.port.token(), protocol: 1, capabilities: [] };
    const isCurrent = (): boolean => this.#wire === wire;
    this.#reason = undefined;
    this.#cancel = this.runtime.after(CONNECT_MS_MAX, () => this.#lost(disconnected()));
    const wire = this.transport(
      { url: this.url, auth, timeoutMs: CONNECT_MS_MAX },
      {
        event: (name, argument) => {
          if (isCurrent()) this.#heard(name, argument);
        },
        closed: (reason) => {
          if (isCurrent()) this.#lost(this.#reason ?? disconnected(reason));
        },
        refused: (error: Error & { data?: Partial<Refusal> }) => {
          if (isCurrent()) this.#lost(error.data ? refused(error.data) : disconnected(error));
        },
      },
    );
    this.#wire = wire;
  }

  /** The server's events are as the protocol says; those of a later protocol are left alone. */
  #heard(name: string, argument: unknown): void {
    // oxlint-disable typescript/no-unsafe-type-assertion
    if (FACTS.has(name)) return this.port.fact(argument as Fact);
    switch (name) {
      case 'welcome':
        this.#cancel?.();
        this.#attempt = 0;
        return this.port.welcome(argument as Welcome);
      case 'receipts.moved':
        return this.port.moved(argument as ReceiptsMoved);
      case 'reactions.set':
        return this.port.reacted(argument as ReactionsSet);
      case 'account':
        return this.port.account(argument as Notice);
      case 'own':
        return this.port.own(argument as OwnNotice);
      case 'behind':
        return this.port.behind();
      case 'error':
        this.#reason = refused(argument as Partial<Refusal>);
    }
    // oxlint-enable typescript/no-unsafe-type-assertion
  }

  #lost(error: ScriptaError): void {
    this.#drop(error.retryable ? error : disconnected(error));
    if (this.#isClosed) return;
    if (FINAL_CODES.has(error.code)) {
      this.#isClosed = true;
      return this.port.down('over', error);
    }
    const waitMs = Math.max(error.retryAfterMs ?? 0, pauseMs(this.runtime, this.#attempt));
    this.#attempt += 1;
    this.#cancel = this.runtime.after(waitMs, () => this.#connect());
    this.port.down('retrying', error);
  }

  #drop(error: ScriptaError): void {
    this.#cancel?.();
    const wire = this.#wire;
    this.#wire = undefined;
    wire?.close();
    for (const fail of this.#waiting) fail(error);
    this.#waiting.clear();
  }
}

const refused = (refusal: Partial<Refusal>): ScriptaError =>
  new ScriptaError({
    message: 'The server closed the connection.',
    code: 'disconnected',
    retryable: !FINAL_CODES.has(refusal.code ?? ''),
    ...refusal,
  });
