import { status as codes, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  APPEND_BYTES_MAX,
  expectedBy,
  proposedOf,
  sizeOf,
  streamNameOf,
  uuidBytes,
} from './proposals.js';
import { Any, shared, status, streams, type BatchAppendReq } from './protocol.js';
import type { Expected, Outcome, Proposed, Store } from './store.js';
import { batchSuccess } from './wire.js';

type Call = ServerDuplexStream<BatchAppendReq, Buffer>;
type GrpcStatus = InstanceType<typeof status.Status>;

const statusOf = (code: number, message: string, type: string, value: Uint8Array): GrpcStatus => {
  const details = new Any();
  details.pack(value, `event_store.client.${type}`);
  const answer = new status.Status();
  // gRPC's codes are those of google.rpc.Code, declared twice.
  // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
  answer.setCode(code);
  answer.setMessage(message);
  answer.setDetails(details);
  return answer;
};

const wrongExpected = (expected: Expected, current: number): GrpcStatus => {
  const wrong = new shared.WrongExpectedVersion();
  if (current >= 0) wrong.setCurrentStreamRevision(String(current));
  else wrong.setCurrentNoStream(new shared.Empty());
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty());
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty());
  else if (expected < 0) wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedStreamPosition(String(expected));
  const name = 'WrongExpectedVersion';
  return statusOf(codes.ALREADY_EXISTS, name, name, wrong.serializeBinary());
};

const refusalOf = (outcome: Exclude<Outcome, { ok: true }>, expected: Expected): GrpcStatus => {
  if (outcome.reason === 'wrong_expected') return wrongExpected(expected, outcome.current);
  const bytes = new shared.StreamDeleted().serializeBinary();
  return statusOf(codes.NOT_FOUND, 'StreamDeleted', 'StreamDeleted', bytes);
};

const tooLarge = (): GrpcStatus => {
  const exceeded = new shared.MaximumAppendSizeExceeded();
  exceeded.setMaxappendsize(APPEND_BYTES_MAX);
  const message = `One append carries at most ${APPEND_BYTES_MAX} bytes of data.`;
  const bytes = exceeded.serializeBinary();
  return statusOf(codes.INVALID_ARGUMENT, message, 'MaximumAppendSizeExceeded', bytes);
};

const badRequest = (message: string): GrpcStatus => {
  const bad = new shared.BadRequest();
  bad.setMessage(message);
  return statusOf(codes.INVALID_ARGUMENT, message, 'BadRequest', bad.serializeBinary());
};

const timedOut = (): GrpcStatus =>
  statusOf(codes.DEADLINE_EXCEEDED, 'Timeout', 'Timeout', new shared.Timeout().serializeBinary());

const unknown = (message: string): GrpcStatus =>
  statusOf(codes.UNKNOWN, message, 'Unknown', new shared.Unknown().serializeBinary());

/** One append that arrives in parts. */
type Gathering = {
  stream: string;
  expected: Expected;
  deadlineMs: number;
  events: Proposed[];
  /** It was answered with an error already; its later parts are swallowed. */
  refused: boolean;
};

const begin = (options: BatchAppendReq.Options | undefined): Gathering => {
  if (!options) throw new Error('The first part of an append carries its options.');
  const deadline = options.getDeadline();
  return {
    stream: streamNameOf(options.getStreamIdentifier()),
    expected: expectedBy({
      revision: options.hasStreamPosition() ? options.getStreamPosition() : undefined,
      none: options.hasNoStream(),
      exists: options.hasStreamExists(),
    }),
    deadlineMs: deadline ? deadline.getSeconds() * 1000 + deadline.getNanos() / 1e6 : Infinity,
    events: [],
    refused: false,
  };
};

/** A client's one long-lived stream of appends: executed in the order sent, each answered once. */
class BatchAppendCall {
  readonly #store: Store;
  readonly #call: Call;
  readonly #gathering = new Map<string, Gathering>();
  #executing = 0;
  #ended = false;

  constructor(store: Store, call: Call) {
    this.#store = store;
    this.#call = call;
    call.on('data', (request: BatchAppendReq) => this.#receive(request));
    call.on('end', () => {
      this.#ended = true;
      this.#endWhenIdle();
    });
    call.on('error', () => call.end());
  }

  #endWhenIdle(): void {
    if (this.#ended && this.#executing === 0) this.#call.end();
  }

  #receive(request: BatchAppendReq): void {
    const id = request.getCorrelationId();
    try {
      uuidBytes(id);
    } catch {
      const details = 'Each append needs a UUID as its correlation id.';
      this.#call.emit('error', { code: codes.INVALID_ARGUMENT, details });
      return;
    }
    const correlation = id?.getString() ?? '';
    const gathered = this.#gather(request, correlation);
    if (!request.getIsFinal()) return;
    this.#gathering.delete(correlation);
    if (gathered && !gathered.refused) this.#execute(correlation, gathered);
  }

  #gather(request: BatchAppendReq, correlation: string): Gathering | undefined {
    let gathered = this.#gathering.get(correlation);
    try {
      gathered ??= begin(request.getOptions());
      this.#gathering.set(correlation, gathered);
      if (gathered.refused) return gathered;
      for (const message of request.getProposedMessagesList())
        gathered.events.push(proposedOf(message));
    } catch (error) {
      this.#refuse(correlation, '', badRequest(error instanceof Error ? error.message : 'Bad.'));
      const refused = { stream: '', expected: 0, deadlineMs: 0, events: [], refused: true };
      gathered = refused;
      this.#gathering.set(correlation, refused);
    }
    return gathered;
  }

  #execute(correlation: string, gathered: Gathering): void {
    this.#executing += 1;
    this.#append(correlation, gathered)
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        this.#refuse(correlation, gathered.stream, unknown(message));
      })
      .finally(() => {
        this.#executing -= 1;
        this.#endWhenIdle();
      });
  }

  async #append(
    correlation: string,
    { stream, expected, deadlineMs, events }: Gathering,
  ): Promise<void> {
    if (sizeOf(events) > APPEND_BYTES_MAX) return this.#refuse(correlation, stream, tooLarge());
    if (deadlineMs < Date.now()) return this.#refuse(correlation, stream, timedOut());
    const outcome = await this.#store.append(stream, expected, events);
    if (!outcome.ok) return this.#refuse(correlation, stream, refusalOf(outcome, expected));
    const { revision, position } = outcome;
    return this.#answer(batchSuccess(correlation, Buffer.from(stream), revision, position));
  }

  #answer(bytes: Buffer): void {
    if (!this.#call.cancelled) this.#call.write(bytes);
  }

  #refuse(correlation: string, stream: string, error: GrpcStatus): void {
    const response = new streams.BatchAppendResp();
    const id = new shared.UUID();
    id.setString(correlation);
    response.setCorrelationId(id);
    response.setError(error);
    const identifier = new shared.StreamIdentifier();
    identifier.setStreamName(Buffer.from(stream));
    response.setStreamIdentifier(identifier);
    this.#answer(Buffer.from(response.serializeBinary()));
  }
}

/** BatchAppend: what the client uses for every append without credentials. */
export const batchAppend =
  (store: Store) =>
  (call: Call): void => {
    // The call's own listeners keep it.
    // oxlint-disable-next-line no-new
    new BatchAppendCall(store, call);
  };
