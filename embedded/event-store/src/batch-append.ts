import { status as codes, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  APPEND_BYTES_MAX,
  expectedBy,
  proposedOf,
  refuseUnsupported,
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

/** The client shows the message only of details that it does not know. */
const failed = (message: string): GrpcStatus => {
  const bytes = new shared.Empty().serializeBinary();
  return statusOf(codes.UNAVAILABLE, message, 'Failed', bytes);
};

/** Appends of one client under way before it is no longer listened to: bounds memory. */
const EXECUTING_MAX = 4_096;
const EXECUTING_BYTES_MAX = 32 * 1024 * 1024;
/** Answers that a client has not taken before it is no longer listened to. */
const UNREAD_ANSWERS_MAX = 8_192;
/** Appends that a client may have begun and not ended. */
const GATHERING_MAX = 1_024;

/** One append that arrives in parts. */
type Gathering = {
  stream: string;
  expected: Expected;
  deadlineMs: number;
  events: Proposed[];
  bytes: number;
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
    bytes: 0,
    refused: false,
  };
};

/** Its answer was given: what is left of it is swallowed. */
const REFUSED: Gathering = {
  stream: '',
  expected: 'any',
  deadlineMs: 0,
  events: [],
  bytes: 0,
  refused: true,
};

/** A client's one long-lived stream of appends: executed in the order sent, each answered once. */
class BatchAppendCall {
  readonly #store: Store;
  readonly #call: Call;
  readonly #gathering = new Map<string, Gathering>();
  #executing = 0;
  #executingBytes = 0;
  #ended = false;

  constructor(store: Store, call: Call) {
    this.#store = store;
    this.#call = call;
    call.on('data', (request: BatchAppendReq) => this.#receive(request));
    call.on('drain', () => this.#listenAgain());
    call.on('end', () => {
      this.#ended = true;
      this.#endWhenIdle();
    });
    call.on('error', () => call.end());
  }

  #endWhenIdle(): void {
    if (this.#ended && this.#executing === 0) this.#call.end();
  }

  get #isCrowded(): boolean {
    return (
      this.#executing >= EXECUTING_MAX ||
      this.#executingBytes >= EXECUTING_BYTES_MAX ||
      this.#call.writableLength >= UNREAD_ANSWERS_MAX
    );
  }

  #listenAgain(): void {
    if (this.#call.isPaused() && !this.#isCrowded) this.#call.resume();
  }

  #receive(request: BatchAppendReq): void {
    const id = request.getCorrelationId();
    try {
      uuidBytes(id);
    } catch {
      this.#breakOff('Each append needs a UUID as its correlation id.');
      return;
    }
    const correlation = id?.getString() ?? '';
    const gathered = this.#gather(request, correlation);
    if (this.#gathering.size > GATHERING_MAX)
      this.#breakOff(`More than ${GATHERING_MAX} appends were begun and not ended.`);
    if (!request.getIsFinal()) return;
    this.#gathering.delete(correlation);
    if (!gathered.refused) this.#execute(correlation, gathered);
    if (this.#isCrowded) this.#call.pause();
  }

  /** There is no id to answer to: the whole call ends. */
  #breakOff(details: string): void {
    this.#call.emit('error', { code: codes.INVALID_ARGUMENT, details });
  }

  #gather(request: BatchAppendReq, correlation: string): Gathering {
    let gathered = this.#gathering.get(correlation);
    try {
      gathered ??= begin(request.getOptions());
      this.#gathering.set(correlation, gathered);
      if (!gathered.refused) this.#take(gathered, request);
      if (gathered.bytes <= APPEND_BYTES_MAX) return gathered;
      this.#refuse(correlation, gathered.stream, tooLarge());
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#refuse(correlation, gathered?.stream ?? '', badRequest(message));
    }
    this.#gathering.set(correlation, REFUSED);
    return REFUSED;
  }

  #take(gathered: Gathering, request: BatchAppendReq): void {
    const events = request.getProposedMessagesList().map(proposedOf);
    for (const event of events) refuseUnsupported(gathered.stream, event);
    gathered.events.push(...events);
    gathered.bytes += sizeOf(events);
  }

  #execute(correlation: string, gathered: Gathering): void {
    this.#executing += 1;
    this.#executingBytes += gathered.bytes;
    this.#append(correlation, gathered)
      .catch((error: unknown) => {
        const message = error instanceof Error ? error.message : String(error);
        this.#refuse(correlation, gathered.stream, failed(message));
      })
      .finally(() => {
        this.#executing -= 1;
        this.#executingBytes -= gathered.bytes;
        this.#listenAgain();
        this.#endWhenIdle();
      });
  }

  async #append(
    correlation: string,
    { stream, expected, deadlineMs, events }: Gathering,
  ): Promise<void> {
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
