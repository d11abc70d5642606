import {
  Metadata,
  status as codes,
  type handleBidiStreamingCall,
  type handleUnaryCall,
} from '@grpc/grpc-js';
import {
  Any,
  shared,
  status,
  streams,
  type AppendReq,
  type BatchAppendReq,
  type DeleteReq,
  type UUID,
} from './protocol.js';
import type { Expected, Outcome, Proposed, Store } from './store.js';
import { batchSuccess } from './wire.js';

/** Bytes of one append, as in EventStoreDB's default configuration. */
export const APPEND_BYTES_MAX = 1_048_576;

/** What a client asked for cannot be; answered once, with a sentence that says why. */
class Malformed extends Error {}

const uuidBytes = (id: UUID | undefined): Buffer => {
  const text = id?.getString() ?? '';
  const hex = text.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/iu.test(hex)) throw new Malformed(`${JSON.stringify(text)} is not a UUID.`);
  return Buffer.from(hex, 'hex');
};

type ProposedMessage = BatchAppendReq.ProposedMessage | AppendReq.ProposedMessage;

const proposedOf = (message: ProposedMessage): Proposed => {
  const metadata = message.getMetadataMap();
  const type = String(metadata.get('type') ?? '');
  if (type === '') throw new Malformed('An event needs a type.');
  if (type === '$>') throw new Malformed('Links ($>) are not supported.');
  return {
    id: uuidBytes(message.getId()),
    type,
    json: metadata.get('content-type') === 'application/json',
    data: Buffer.from(message.getData_asU8()),
    metadata: Buffer.from(message.getCustomMetadata_asU8()),
  };
};

const streamOf = (name: Uint8Array | undefined): string => {
  const stream = Buffer.from(name ?? []).toString('utf8');
  if (stream === '') throw new Malformed('A stream needs a name.');
  return stream;
};

const sizeOf = (events: readonly Proposed[]): number =>
  events.reduce((sum, { data }) => sum + data.length, 0);

const grpcStatus = (code: number, message: string, type: string, value: Uint8Array) => {
  const details = new Any();
  details.pack(value, `event_store.client.${type}`);
  const answer = new status.Status();
  answer.setCode(code as never);
  answer.setMessage(message);
  answer.setDetails(details);
  return answer;
};

const wrongExpected = (expected: Expected, current: number) => {
  const wrong = new shared.WrongExpectedVersion();
  if (current >= 0) wrong.setCurrentStreamRevision(String(current));
  else wrong.setCurrentNoStream(new shared.Empty());
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty());
  else if (expected === 'stream_exists') wrong.setExpectedStreamExists(new shared.Empty());
  else if (expected < 0) wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedStreamPosition(String(expected));
  return wrong;
};

const failure = (outcome: Outcome, expected: Expected) => {
  if (!outcome.ok && outcome.reason === 'wrong_expected') {
    const wrong = wrongExpected(expected, outcome.current).serializeBinary();
    return grpcStatus(6, 'WrongExpectedVersion', 'WrongExpectedVersion', wrong);
  }
  return grpcStatus(
    5,
    'StreamDeleted',
    'StreamDeleted',
    new shared.StreamDeleted().serializeBinary(),
  );
};

const tooLarge = () => {
  const exceeded = new shared.MaximumAppendSizeExceeded();
  exceeded.setMaxappendsize(APPEND_BYTES_MAX);
  const bytes = exceeded.serializeBinary();
  return grpcStatus(3, 'Maximum Append Size Exceeded', 'MaximumAppendSizeExceeded', bytes);
};

/** One append that arrives in parts, gathered by its correlation id. */
type Gathering = {
  options: BatchAppendReq.Options | undefined;
  events: Proposed[];
  /** It was answered with an error already: its later parts are swallowed. */
  answered: boolean;
};

const expectedOf = (options: BatchAppendReq.Options): Expected => {
  if (options.hasStreamPosition()) return Number(options.getStreamPosition());
  if (options.hasNoStream()) return -1;
  return options.hasStreamExists() ? 'stream_exists' : 'any';
};

const deadlineOf = (options: BatchAppendReq.Options): number => {
  const deadline = options.getDeadline();
  return deadline ? deadline.getSeconds() * 1000 + deadline.getNanos() / 1e6 : Infinity;
};

/** BatchAppend: appends of one stream in the order sent; exactly one answer for each. */
export const batchAppend =
  (store: Store): handleBidiStreamingCall<BatchAppendReq, Buffer> =>
  (call) => {
    const gathering = new Map<string, Gathering>();
    let ended = false;
    let open = 0;
    const settle = (): void => {
      open -= 1;
      if (ended && open === 0) call.end();
    };
    const answer = (bytes: Buffer): void => {
      if (!call.cancelled) call.write(bytes);
    };
    const refuse = (
      correlation: string,
      stream: string,
      error: InstanceType<typeof status.Status>,
    ) => {
      const response = new streams.BatchAppendResp();
      const id = new shared.UUID();
      id.setString(correlation);
      response.setCorrelationId(id);
      response.setError(error);
      const identifier = new shared.StreamIdentifier();
      identifier.setStreamName(Buffer.from(stream));
      response.setStreamIdentifier(identifier);
      answer(Buffer.from(response.serializeBinary()));
    };
    const bad = (correlation: string, stream: string, message: string): void => {
      const request = new shared.BadRequest();
      request.setMessage(message);
      refuse(correlation, stream, grpcStatus(3, message, 'BadRequest', request.serializeBinary()));
    };
    const execute = async (correlation: string, { options, events }: Gathering): Promise<void> => {
      if (!options) return bad(correlation, '', 'The first part of an append carries its options.');
      const stream = streamOf(options.getStreamIdentifier()?.getStreamName_asU8());
      const expected = expectedOf(options);
      if (sizeOf(events) > APPEND_BYTES_MAX) return refuse(correlation, stream, tooLarge());
      if (deadlineOf(options) < Date.now()) {
        const bytes = new shared.Timeout().serializeBinary();
        return refuse(correlation, stream, grpcStatus(4, 'Timeout', 'Timeout', bytes));
      }
      const outcome = await store.append(stream, expected, events);
      if (!outcome.ok) return refuse(correlation, stream, failure(outcome, expected));
      const { revision, position } = outcome;
      return answer(batchSuccess(correlation, Buffer.from(stream), revision, position));
    };
    const part = (request: BatchAppendReq, correlation: string): void => {
      const known = gathering.get(correlation) ?? {
        options: undefined,
        events: [],
        answered: false,
      };
      gathering.set(correlation, known);
      known.options ??= request.getOptions();
      if (request.getIsFinal()) gathering.delete(correlation);
      if (known.answered) return;
      try {
        if (known.options) streamOf(known.options.getStreamIdentifier()?.getStreamName_asU8());
        for (const message of request.getProposedMessagesList())
          known.events.push(proposedOf(message));
      } catch (error) {
        known.answered = true;
        bad(correlation, '', error instanceof Error ? error.message : String(error));
        return;
      }
      if (!request.getIsFinal()) return;
      open += 1;
      execute(correlation, known)
        .catch((error: unknown) => {
          const bytes = new shared.Unknown().serializeBinary();
          refuse(correlation, '', grpcStatus(2, String(error), 'Unknown', bytes));
        })
        .finally(settle);
    };
    call.on('data', (request: BatchAppendReq) => {
      const id = request.getCorrelationId();
      try {
        uuidBytes(id);
      } catch {
        const details = 'A batch append needs a UUID as its correlation id.';
        call.emit('error', { code: codes.INVALID_ARGUMENT, details });
        return;
      }
      part(request, id?.getString() ?? '');
    });
    call.on('end', () => {
      ended = true;
      if (open === 0) call.end();
    });
    call.on('error', () => call.end());
  };

const trailers = (entries: Readonly<Record<string, string>>): Metadata => {
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(entries)) metadata.set(key, value);
  return metadata;
};

type AppendOptions = AppendReq.Options | DeleteReq.Options;

const expectedOfUnary = (options: AppendOptions): Expected => {
  if (options.hasRevision()) return Number(options.getRevision());
  if (options.hasNoStream()) return -1;
  return options.hasStreamExists() ? 'stream_exists' : 'any';
};

/** A gRPC error with EventStoreDB's `exception` trailer, by which the client chooses its class. */
const failed = (code: codes, details: string, entries: Readonly<Record<string, string>> = {}) => ({
  code,
  details,
  metadata: trailers(entries),
});

/** Append: one append as a stream of its own. */
export const append =
  (store: Store) =>
  (
    call: import('@grpc/grpc-js').ServerReadableStream<
      AppendReq,
      InstanceType<typeof streams.AppendResp>
    >,
    done: import('@grpc/grpc-js').sendUnaryData<InstanceType<typeof streams.AppendResp>>,
  ): void => {
    let options: AppendReq.Options | undefined;
    const events: Proposed[] = [];
    let answered = false;
    const answer: typeof done = (...args) => {
      if (!answered) done(...args);
      answered = true;
    };
    call.on('data', (request: AppendReq) => {
      options ??= request.getOptions();
      const message = request.getProposedMessage();
      try {
        if (message) events.push(proposedOf(message));
      } catch (error) {
        answer(failed(codes.INVALID_ARGUMENT, String(error)));
      }
    });
    call.on('end', () => {
      if (!answered) void execute();
    });
    const execute = async (): Promise<void> => {
      try {
        const stream = streamOf(options?.getStreamIdentifier()?.getStreamName_asU8());
        const expected = options ? expectedOfUnary(options) : 'any';
        if (sizeOf(events) > APPEND_BYTES_MAX) {
          const exception = {
            exception: 'maximum-append-size-exceeded',
            'maximum-append-size': String(APPEND_BYTES_MAX),
          };
          answer(failed(codes.INVALID_ARGUMENT, 'Maximum Append Size Exceeded.', exception));
          return;
        }
        const outcome = await store.append(stream, expected, events);
        if (!outcome.ok && outcome.reason === 'deleted') {
          answer(
            failed(codes.FAILED_PRECONDITION, 'Stream deleted.', {
              exception: 'stream-deleted',
              'stream-name': stream,
            }),
          );
          return;
        }
        answer(null, appendResponse(outcome, expected));
      } catch (error) {
        const code = error instanceof Malformed ? codes.INVALID_ARGUMENT : codes.UNKNOWN;
        answer(failed(code, error instanceof Error ? error.message : String(error)));
      }
    };
  };

const appendResponse = (outcome: Outcome, expected: Expected) => {
  const response = new streams.AppendResp();
  if (outcome.ok) {
    const success = new streams.AppendResp.Success();
    if (outcome.revision >= 0) success.setCurrentRevision(String(outcome.revision));
    else success.setNoStream(new shared.Empty());
    const position = new streams.AppendResp.Position();
    position.setCommitPosition(String(outcome.position));
    position.setPreparePosition(String(outcome.position));
    success.setPosition(position);
    response.setSuccess(success);
    return response;
  }
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  const current = outcome.reason === 'wrong_expected' ? outcome.current : -1;
  if (current >= 0) wrong.setCurrentRevision(String(current)).setCurrentRevision2060(current);
  else wrong.setCurrentNoStream(new shared.Empty()).setNoStream2060(new shared.Empty());
  if (expected === 'any') wrong.setExpectedAny(new shared.Empty()).setAny2060(new shared.Empty());
  else if (expected === 'stream_exists')
    wrong.setExpectedStreamExists(new shared.Empty()).setStreamExists2060(new shared.Empty());
  else if (expected < 0) wrong.setExpectedNoStream(new shared.Empty());
  else wrong.setExpectedRevision(String(expected)).setExpectedRevision2060(expected);
  response.setWrongExpectedVersion(wrong);
  return response;
};

const asNumber = (expected: Expected): number => {
  if (expected === 'any') return -2;
  return expected === 'stream_exists' ? -4 : expected;
};

/** Delete: hides what the stream holds. */
export const softDelete =
  (store: Store): handleUnaryCall<DeleteReq, InstanceType<typeof streams.DeleteResp>> =>
  (call, done) => {
    const execute = async (): Promise<void> => {
      const options = call.request.getOptions();
      const stream = streamOf(options?.getStreamIdentifier()?.getStreamName_asU8());
      const expected = options ? expectedOfUnary(options) : 'any';
      const outcome = await store.softDelete(stream, expected);
      if (!outcome.ok) {
        const actual = outcome.reason === 'wrong_expected' ? outcome.current : -1;
        const wanted = asNumber(expected);
        const details =
          `Delete failed due to WrongExpectedVersion. Stream: ${stream}, ` +
          `Expected version: ${wanted}, Actual version: ${actual}`;
        const exception = {
          exception: 'wrong-expected-version',
          'stream-name': stream,
          'expected-version': String(wanted),
          'actual-version': String(actual),
        };
        done(failed(codes.FAILED_PRECONDITION, details, exception));
        return;
      }
      const position = new streams.DeleteResp.Position();
      position.setCommitPosition(String(outcome.position));
      position.setPreparePosition(String(outcome.position));
      const response = new streams.DeleteResp();
      response.setPosition(position);
      done(null, response);
    };
    execute().catch((error: unknown) => done(failed(codes.UNKNOWN, String(error))));
  };
