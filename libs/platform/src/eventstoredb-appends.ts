import { createRequire } from 'node:module';
import type { EventStoreDBClient } from '@eventstore/db-client';
import type * as StreamsClients from '@eventstore/db-client/generated/streams_grpc_pb.js';
import type * as SharedModule from '@eventstore/db-client/generated/shared_pb.js';
import type { Status } from '@eventstore/db-client/generated/status_pb.js';
import type * as StreamsModule from '@eventstore/db-client/generated/streams_pb.js';
import type { CallOptions, ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import type * as EmptyModule from 'google-protobuf/google/protobuf/empty_pb.js';
import type { Cancel, Timer } from './clock.js';
import { logError } from './eventstoredb-errors.js';
import {
  LogUnavailable,
  StaleRevision,
  type Appended,
  type Expected,
  type NewEvent,
} from './event-store.js';

// The driver ships its generated messages as CommonJS that assigns its exports at run time.
const require = createRequire(import.meta.url);
const generated = '@eventstore/db-client/generated';
/* oxlint-disable typescript/no-unsafe-assignment -- what `require` gives is typed by the imports above */
const streams: typeof StreamsModule = require(`${generated}/streams_pb.js`);
const shared: typeof SharedModule = require(`${generated}/shared_pb.js`);
const clients: typeof StreamsClients = require(`${generated}/streams_grpc_pb.js`);
const empties: typeof EmptyModule = require('google-protobuf/google/protobuf/empty_pb.js');
/* oxlint-enable typescript/no-unsafe-assignment */

/** How often unanswered appends are looked at, and after how many looks they are given up. */
const LOOK_MS = 1_000;
/** The server itself answers within 2 s (its write timeout), so after 3 the answer is lost. */
const LOOKS_MAX = 3;
/** Appends that may wait for an answer: more than any process has, so that a hung log is felt. */
const WAITING_MAX = 20_000;

type Call = ClientDuplexStream<StreamsModule.BatchAppendReq, StreamsModule.BatchAppendResp>;

/** The driver's own way to open a call on its connection, which it renews when it breaks. */
type Connection = Readonly<{
  GRPCStreamCreator: (
    client: typeof clients.StreamsClient,
    name: string,
    create: (client: StreamsClients.StreamsClient) => Call,
  ) => () => Promise<Call>;
  callArguments: (options: object, callOptions: CallOptions) => [Metadata, CallOptions];
}>;

type Waiting = Readonly<{
  stream: string;
  call: Call;
  since: number;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
}>;

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value), 'utf8');
const empty = new empties.Empty();

const optionsOf = (stream: string, expected: Expected): StreamsModule.BatchAppendReq.Options => {
  const options = new streams.BatchAppendReq.Options();
  const identifier = new shared.StreamIdentifier();
  identifier.setStreamName(Buffer.from(stream, 'utf8'));
  options.setStreamIdentifier(identifier);
  if (expected === 'any') options.setAny(empty);
  else if (expected < 0) options.setNoStream(empty);
  else options.setStreamPosition(String(expected));
  return options;
};

const proposalOf = ({ id, type, data, metadata }: NewEvent) => {
  const message = new streams.BatchAppendReq.ProposedMessage();
  const uuid = new shared.UUID();
  uuid.setString(id);
  message.setId(uuid);
  message.getMetadataMap().set('type', type).set('content-type', 'application/json');
  message.setCustomMetadata(bytesOf(metadata));
  message.setData(bytesOf(data));
  return message;
};

const appendedOf = (success: StreamsModule.BatchAppendResp.Success): Appended => ({
  revision: success.hasCurrentRevision() ? Number(success.getCurrentRevision()) : -1,
  position: Number(success.getPosition()?.getCommitPosition() ?? -1),
});

const staleAt = (stream: string, details: Uint8Array): StaleRevision => {
  const wrong = shared.WrongExpectedVersion.deserializeBinary(details);
  const current = wrong.hasCurrentStreamRevision() ? wrong.getCurrentStreamRevision() : 'nothing';
  return new StaleRevision(`${stream} is at ${current}, not where this writer takes it to be.`);
};

/** The server's refusal of one append, in the port's words. */
const refusalOf = (stream: string, status: Status | undefined): Error => {
  const details = status?.getDetails();
  if (!status || !details) return new LogUnavailable(`${stream}: the log gave no reason.`);
  const kind = details.getTypeName();
  const reason = status.getMessage();
  if (kind === 'event_store.client.WrongExpectedVersion')
    return staleAt(stream, details.getValue_asU8());
  const message = `${stream} cannot be appended to: ${reason} (${kind}).`;
  const isAway = kind === 'event_store.client.Timeout' || /not ready/iu.test(reason);
  return isAway ? new LogUnavailable(message) : new Error(message);
};

/**
 * Appends over the driver's connection, many in flight on one call. The driver's own
 * `appendToStream` takes the process down when the connection breaks while it holds back-pressure
 * (an unhandled rejection), and waits for ever on a server that hangs.
 */
export class Appends {
  readonly #connection: Connection;
  readonly #timer: Timer;
  readonly #waiting = new Map<string, Waiting>();
  #call: Call | undefined;
  #opening: Promise<Call> | undefined;
  #sent = 0;
  #look = 0;
  #nextLook: Cancel | undefined;

  constructor(client: EventStoreDBClient, timer: Timer) {
    // Protected in its types, not at run time; the driver's version is pinned.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.#connection = client as unknown as Connection;
    this.#timer = timer;
  }

  /** Appends all or nothing. Throws `StaleRevision`, or `LogUnavailable` (outcome unknown). */
  async append(stream: string, expected: Expected, events: readonly NewEvent[]): Promise<Appended> {
    const request = new streams.BatchAppendReq();
    request.setOptions(optionsOf(stream, expected));
    request.setProposedMessagesList(events.map(proposalOf));
    request.setIsFinal(true);
    const call = this.#call ?? (await this.#open());
    return new Promise((resolve, reject) => {
      if (this.#waiting.size >= WAITING_MAX) {
        reject(new LogUnavailable(`${WAITING_MAX} appends wait for the log already.`));
        return;
      }
      this.#sent += 1;
      const id = `00000000-0000-4000-8000-${this.#sent.toString(16).padStart(12, '0')}`;
      const correlation = new shared.UUID();
      correlation.setString(id);
      request.setCorrelationId(correlation);
      this.#waiting.set(id, { stream, call, since: this.#look, resolve, reject });
      this.#nextLook ??= this.#timer.after(LOOK_MS, () => this.#giveUpOld());
      call.write(request);
    });
  }

  /** Ends the call; whoever still waits hears that the log is away. */
  close(): void {
    this.#nextLook?.();
    this.#call?.cancel();
  }

  async #open(): Promise<Call> {
    // Appends that come while it opens share the call.
    this.#opening ??= this.#begin().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #begin(): Promise<Call> {
    const [metadata, options] = this.#connection.callArguments({}, { deadline: Infinity });
    const create = this.#connection.GRPCStreamCreator(clients.StreamsClient, 'append', (client) => {
      const created = client.batchAppend(metadata, options);
      created.on('data', (answer) => this.#answered(answer));
      created.on('error', (error) => this.#lose(created, error));
      created.on('end', () => this.#lose(created, new LogUnavailable('The log hung up.')));
      return created;
    });
    try {
      this.#call = await create();
      return this.#call;
    } catch (error) {
      throw logError(error, 'open a call for appends');
    }
  }

  #answered(answer: StreamsModule.BatchAppendResp): void {
    const id = answer.getCorrelationId()?.getString() ?? '';
    const waiting = this.#waiting.get(id);
    // A server may answer twice, or after nobody waits any more.
    if (!waiting) return;
    this.#waiting.delete(id);
    const success = answer.getSuccess();
    if (success) waiting.resolve(appendedOf(success));
    else waiting.reject(refusalOf(waiting.stream, answer.getError()));
  }

  #lose(call: Call, cause: unknown): void {
    if (this.#call === call) this.#call = undefined;
    for (const [id, waiting] of this.#waiting) {
      if (waiting.call !== call) continue;
      this.#waiting.delete(id);
      waiting.reject(logError(cause, `append to ${waiting.stream}`));
    }
  }

  #giveUpOld(): void {
    this.#look += 1;
    for (const [id, { stream, since, reject }] of this.#waiting) {
      // In order of sending: those behind it are younger.
      if (this.#look - since <= LOOKS_MAX) break;
      this.#waiting.delete(id);
      reject(new LogUnavailable(`The log did not answer an append to ${stream} in time.`));
    }
    this.#nextLook =
      this.#waiting.size > 0 ? this.#timer.after(LOOK_MS, () => this.#giveUpOld()) : undefined;
  }
}
