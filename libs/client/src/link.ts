import { io, type Socket } from 'socket.io-client';
import { ScriptaError, type Refusal } from './errors.js';
import { FACT_TYPES, type Fact, type ReceiptsMoved, type Welcome } from './protocol.js';
import { pauseMs, type Cancel, type Runtime } from './runtime.js';

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
  behind: () => void;
  /** The connection is gone; `next` is what the link does about it. */
  down: (next: 'retrying' | 'over', error: ScriptaError) => void;
}>;

type WireAnswer = Answer | Readonly<{ ok: false; error: Refusal }>;

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

/** The socket: kept connected, with a jittered backoff, until it is closed or refused for good. */
export class Link {
  #socket: Socket | undefined;
  #attempt = 0;
  #reason: ScriptaError | undefined;
  #cancel: Cancel | undefined;
  #isClosed = true;
  readonly #waiting = new Set<(error: ScriptaError) => void>();

  constructor(
    private readonly url: string,
    private readonly runtime: Runtime,
    private readonly port: LinkPort,
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
    if (!this.#socket) return;
    this.#socket.io.engine?.transport?.close();
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
      if (!this.#socket?.connected) return fail(disconnected());
      this.#socket.emit(name, payload, (answer: WireAnswer) => {
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
    this.#socket?.emit(name, payload, answered);
  }

  /** Sends without an answer. */
  tell(name: string, payload: object): void {
    if (this.#socket?.connected) this.#socket.emit(name, payload);
  }

  #connect(): void {
    const socket = io(this.url, {
      path: '/socket.io',
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
      autoConnect: false,
      timeout: CONNECT_MS_MAX,
      auth: { token: this.port.token(), protocol: 1, capabilities: [] },
    });
    this.#socket = socket;
    this.#reason = undefined;
    const isCurrent = (): boolean => this.#socket === socket;
    this.#cancel = this.runtime.after(CONNECT_MS_MAX, () => this.#lost(disconnected()));
    socket.on('welcome', (welcome: Welcome) => {
      this.#cancel?.();
      this.#attempt = 0;
      if (isCurrent()) this.port.welcome(welcome);
    });
    for (const type of FACT_TYPES) socket.on(type, (fact: Fact) => this.port.fact(fact));
    socket.on('receipts.moved', (moved: ReceiptsMoved) => this.port.moved(moved));
    socket.on('behind', () => this.port.behind());
    socket.on('error', (refusal: Partial<Refusal>) => {
      this.#reason = refused(refusal);
    });
    socket.on('disconnect', (reason) => {
      if (isCurrent()) this.#lost(this.#reason ?? disconnected(reason));
    });
    socket.on('connect_error', (error: Error & { data?: Partial<Refusal> }) => {
      if (isCurrent()) this.#lost(error.data ? refused(error.data) : disconnected(error));
    });
    socket.connect();
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
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.off();
    socket?.disconnect();
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
