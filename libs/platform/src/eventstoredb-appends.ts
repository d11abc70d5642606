import type { Cancel, Timer } from './clock.js';
import type { AppendCall, Connection } from './eventstoredb-connection.js';
import { logError } from './eventstoredb-errors.js';
import { shared, status } from './eventstoredb-messages.js';
import { appendAnswer, appendRequest, type AppendAnswer } from './eventstoredb-wire.js';
import {
  LogUnavailable,
  StaleRevision,
  type Appended,
  type Expected,
  type NewEvent,
} from './event-store.js';

/** How often unanswered appends are looked at, and after how many looks they are given up. */
const LOOK_MS = 1_000;
/** The server itself answers within 2 s (its write timeout), so after 3 the answer is lost. */
const LOOKS_MAX = 3;
/** Appends that may wait for an answer: more than any process has, so that a hung log is felt. */
const WAITING_MAX = 20_000;

type Waiting = Readonly<{
  stream: string;
  call: AppendCall;
  /** The look before which it was sent. */
  since: number;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
}>;

const staleAt = (stream: string, details: Uint8Array): StaleRevision => {
  const wrong = shared.WrongExpectedVersion.deserializeBinary(details);
  const current = wrong.hasCurrentStreamRevision() ? wrong.getCurrentStreamRevision() : 'nothing';
  return new StaleRevision(`${stream} is at ${current}, not where this writer takes it to be.`);
};

/** The server's refusal of one append, in the port's words. */
const refusalOf = (stream: string, refusal: Buffer): Error => {
  const said = status.Status.deserializeBinary(refusal);
  const details = said.getDetails();
  const kind = details?.getTypeName() ?? 'no details';
  const reason = said.getMessage();
  if (details && kind === 'event_store.client.WrongExpectedVersion')
    return staleAt(stream, details.getValue_asU8());
  const message = `${stream} cannot be appended to: ${reason} (${kind}).`;
  const isAway = kind === 'event_store.client.Timeout' || /not ready/iu.test(reason);
  return isAway ? new LogUnavailable(message) : new Error(message);
};

/** Appends over one call, many in flight; over a new one when it breaks. */
export class Appends {
  readonly #connection: Connection;
  readonly #timer: Timer;
  readonly #waiting = new Map<string, Waiting>();
  #call: AppendCall | undefined;
  #opening: Promise<AppendCall> | undefined;
  #sent = 0;
  #looks = 0;
  #cancelLook: Cancel | undefined;

  constructor(connection: Connection, timer: Timer) {
    this.#connection = connection;
    this.#timer = timer;
  }

  /** Appends all or nothing. Throws `StaleRevision`, or `LogUnavailable` (outcome unknown). */
  async append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    if (this.#waiting.size >= WAITING_MAX)
      throw new LogUnavailable(`${WAITING_MAX} appends wait for the log already.`);
    this.#sent += 1;
    // Answers are matched by it on this call only.
    const id = `00000000-0000-4000-8000-${this.#sent.toString(16).padStart(12, '0')}`;
    const request = appendRequest(id, stream, expected, events);
    const call = this.#call ?? (await this.#open());
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { stream, call, since: this.#looks, resolve, reject });
      this.#cancelLook ??= this.#timer.after(LOOK_MS, () => this.#look());
      call.write(request);
    });
  }

  /** Ends the call; whoever still waits hears that the log is away. */
  close(): void {
    this.#cancelLook?.();
    this.#call?.cancel();
  }

  #open(): Promise<AppendCall> {
    // Appends that come while it opens share the call.
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #begin(): Promise<AppendCall> {
    try {
      const call = await this.#connection.appends();
      call.on('data', (bytes: Buffer) => this.#answered(appendAnswer(bytes)));
      call.on('error', (error) => this.#lose(call, error));
      call.on('end', () => this.#lose(call, new LogUnavailable('The log hung up.')));
      this.#call = call;
      return call;
    } catch (error) {
      throw logError(error, 'open a call for appends');
    }
  }

  #answered({ id, revision, position, refusal }: AppendAnswer): void {
    const waiting = this.#waiting.get(id);
    // A server may answer twice, or after nobody waits any more.
    if (!waiting) return;
    this.#waiting.delete(id);
    if (refusal) waiting.reject(refusalOf(waiting.stream, refusal));
    else waiting.resolve({ revision, position });
  }

  #lose(call: AppendCall, cause: unknown): void {
    if (this.#call === call) this.#call = undefined;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.call !== call) continue;
      this.#waiting.delete(id);
      waiting.reject(logError(cause, `append to ${waiting.stream}`));
    }
  }

  /** Gives up what was sent too long ago. */
  #look(): void {
    this.#looks += 1;
    for (const [id, { stream, since, reject }] of this.#waiting) {
      // In order of sending: those behind it are younger.
      if (this.#looks - since <= LOOKS_MAX) break;
      this.#waiting.delete(id);
      reject(new LogUnavailable(`The log did not answer an append to ${stream} in time.`));
    }
    this.#cancelLook =
      this.#waiting.size > 0 ? this.#timer.after(LOOK_MS, () => this.#look()) : undefined;
  }
}
