import { Injectable, Logger } from '@nestjs/common';
import { CommandDoor } from '#commands';
import { reject, Rejection } from '#domain';
import { LogUnavailable, Random, REJECTION_STATUS, tally } from '#platform';
import type { Connection } from './connections.js';
import { Limits } from './limits.js';
import { Requests, type Answer } from './requests.js';

/** When a client may try again that met an outage of the log. */
const OUTAGE_RETRY_MS = 500;

/** A refusal as the acknowledgement has it. */
type Refused = Readonly<{
  code: string;
  message: string;
  retryable: boolean;
  retryAfterMs?: unknown;
  details?: object;
}>;

type Ack = (answer: object) => void;

/** Where every event of every client comes in: checked, limited, answered, survived. */
@Injectable()
export class Inbox {
  readonly #logger = new Logger('Inbox');

  constructor(
    private readonly commands: CommandDoor,
    private readonly requests: Requests,
    private readonly limits: Limits,
    private readonly random: Random,
  ) {}

  /** Takes one event as it came: its name, what was sent with it, and perhaps a callback. */
  async take(connection: Connection, event: readonly unknown[]): Promise<void> {
    const [name, sent] = event;
    const last = event.at(-1);
    // A function can only be the library's own callback: packets carry none.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    const ack = typeof last === 'function' ? (last as Ack) : undefined;
    const payload = sent === ack ? undefined : sent;
    if (name === 'ack' && this.requests.acknowledge(connection, payload)) return;
    const traceId = this.random.uuid();
    const answered = connection.asked();
    try {
      if (await this.limits.isFlood(connection.reader.deviceId)) {
        connection.close('rate_limited', 'This is a flood; connect again later.');
        return;
      }
      const { answer, afterwards } = await this.#handle(connection, name, payload, traceId);
      ack?.({ ok: true, ...answer });
      afterwards?.();
    } catch (error) {
      const refusal = this.#refusalOf(error, traceId);
      this.#count(refusal, name);
      ack?.({ ok: false, error: { ...refusal, traceId } });
    } finally {
      answered();
    }
  }

  async #handle(
    connection: Connection,
    name: unknown,
    payload: unknown,
    correlationId: string,
  ): Promise<Answer> {
    if (connection.isEnded) reject('unauthorized', 'The session has ended; log in again.');
    if (typeof name !== 'string') return this.#refuseUnknown(connection);
    if (this.commands.takes(name)) {
      const { reader } = connection;
      return { answer: await this.commands.execute(name, payload, reader, { correlationId }) };
    }
    const handle = this.requests.of(name);
    return handle ? handle(connection, payload) : this.#refuseUnknown(connection);
  }

  async #refuseUnknown(connection: Connection): Promise<never> {
    if (await this.limits.isGuessing(connection.socket.id))
      connection.close('unknown_event', 'Too many events that nobody here knows.');
    return reject('unknown_event', 'There is no such event.');
  }

  /** Counts a refusal, under the event's name if it is one of ours. */
  #count({ code }: Refused, name: unknown): void {
    const isOurs =
      typeof name === 'string' &&
      (this.commands.takes(name) || this.requests.of(name) !== undefined);
    const place = isOurs ? `socket ${name}` : 'socket';
    tally(code === 'internal' ? 'failed' : 'refused', code, place);
  }

  #refusalOf(error: unknown, traceId: string): Refused {
    if (error instanceof Rejection) {
      const { code, message, details } = error;
      const { retryAfterMs, ...others } = details;
      return {
        code,
        message,
        retryable: REJECTION_STATUS[code].retryable,
        ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
        ...(Object.keys(others).length === 0 ? {} : { details: others }),
      };
    }
    if (error instanceof LogUnavailable) {
      const message = 'The log cannot be reached; repeat this with the same id.';
      return { code: 'unavailable', message, retryable: true, retryAfterMs: OUTAGE_RETRY_MS };
    }
    this.#logger.error(`${traceId}: ${error instanceof Error ? error.stack : String(error)}`);
    return { code: 'internal', message: 'Something is wrong here.', retryable: true };
  }
}
