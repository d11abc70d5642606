import {
  status as codes,
  type sendUnaryData,
  type ServerReadableStream,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import {
  APPEND_BYTES_MAX,
  expectedBy,
  Malformed,
  proposedOf,
  refuseUnsupported,
  sizeOf,
  streamNameOf,
} from './proposals.js';
import {
  shared,
  streams,
  type AppendReq,
  type AppendResp,
  type DeleteReq,
  type DeleteResp,
} from './protocol.js';
import { Refused } from './refusal.js';
import type { Expected, Outcome, Proposed, Store } from './store.js';

const failedBy = (error: unknown): Refused => {
  if (error instanceof Refused) return error;
  const details = error instanceof Error ? error.message : String(error);
  const code = error instanceof Malformed ? codes.INVALID_ARGUMENT : codes.UNAVAILABLE;
  return new Refused(code, details);
};

const expectedOf = (options: AppendReq.Options | DeleteReq.Options | undefined): Expected =>
  expectedBy({
    revision: options?.hasRevision() ? options.getRevision() : undefined,
    none: options?.hasNoStream() ?? false,
    exists: options?.hasStreamExists() ?? false,
  });

const successOf = ({ revision, position }: Extract<Outcome, { ok: true }>): AppendResp.Success => {
  const success = new streams.AppendResp.Success();
  if (revision >= 0) success.setCurrentRevision(String(revision));
  else success.setNoStream(new shared.Empty());
  const place = new streams.AppendResp.Position();
  place.setCommitPosition(String(position));
  place.setPreparePosition(String(position));
  success.setPosition(place);
  return success;
};

const wrongExpected = (expected: Expected, current: number): AppendResp.WrongExpectedVersion => {
  const wrong = new streams.AppendResp.WrongExpectedVersion();
  const empty = new shared.Empty();
  if (current >= 0) wrong.setCurrentRevision(String(current)).setCurrentRevision2060(current);
  else wrong.setCurrentNoStream(empty).setNoStream2060(empty);
  if (expected === 'any') wrong.setExpectedAny(empty).setAny2060(empty);
  else if (expected === 'stream_exists')
    wrong.setExpectedStreamExists(empty).setStreamExists2060(empty);
  else if (expected < 0) wrong.setExpectedNoStream(empty);
  else wrong.setExpectedRevision(String(expected)).setExpectedRevision2060(expected);
  return wrong;
};

const tooLarge = (): Refused =>
  new Refused(codes.INVALID_ARGUMENT, 'Maximum Append Size Exceeded.', {
    exception: 'maximum-append-size-exceeded',
    'maximum-append-size': String(APPEND_BYTES_MAX),
  });

const appendAll = async (
  store: Store,
  options: AppendReq.Options | undefined,
  events: readonly Proposed[],
): Promise<AppendResp> => {
  const stream = streamNameOf(options?.getStreamIdentifier());
  const expected = expectedOf(options);
  for (const event of events) refuseUnsupported(stream, event);
  const outcome = await store.append(stream, expected, events);
  const response = new streams.AppendResp();
  if (outcome.ok) return response.setSuccess(successOf(outcome));
  if (outcome.reason === 'deleted')
    throw new Refused(codes.FAILED_PRECONDITION, `Event stream '${stream}' is deleted.`, {
      exception: 'stream-deleted',
      'stream-name': stream,
    });
  return response.setWrongExpectedVersion(wrongExpected(expected, outcome.current));
};

/** The parts of one append as they come in. What is refused is not kept. */
class Parts {
  options: AppendReq.Options | undefined;
  readonly events: Proposed[] = [];
  #bytes = 0;
  #refusal: unknown;

  add(request: AppendReq): void {
    this.options ??= request.getOptions();
    const message = request.getProposedMessage();
    if (!message || this.#refusal !== undefined) return;
    try {
      const event = proposedOf(message);
      this.#bytes += sizeOf([event]);
      if (this.#bytes > APPEND_BYTES_MAX) throw tooLarge();
      this.events.push(event);
    } catch (error) {
      this.#refusal = error;
    }
  }

  async appendTo(store: Store): Promise<AppendResp> {
    if (this.#refusal !== undefined) throw failedBy(this.#refusal);
    return appendAll(store, this.options, this.events);
  }
}

/** Append: one append as a stream of its own. */
export const append =
  (store: Store) =>
  (call: ServerReadableStream<AppendReq, AppendResp>, done: sendUnaryData<AppendResp>): void => {
    const parts = new Parts();
    call.on('data', (request: AppendReq) => parts.add(request));
    call.on('end', () => {
      parts.appendTo(store).then(
        (response) => done(null, response),
        (error: unknown) => done(failedBy(error)),
      );
    });
  };

/** The number that trailers carry for what a writer expected. */
const numberOf = (expected: Expected): number => {
  if (expected === 'any') return -2;
  return expected === 'stream_exists' ? -4 : expected;
};

const deleteOne = async (store: Store, request: DeleteReq): Promise<DeleteResp> => {
  const options = request.getOptions();
  const stream = streamNameOf(options?.getStreamIdentifier());
  const expected = expectedOf(options);
  const outcome = await store.softDelete(stream, expected);
  if (!outcome.ok) {
    const actual = String(outcome.reason === 'wrong_expected' ? outcome.current : -1);
    const wanted = String(numberOf(expected));
    const details =
      `Delete failed due to WrongExpectedVersion. Stream: ${stream}, ` +
      `Expected version: ${wanted}, Actual version: ${actual}`;
    throw new Refused(codes.FAILED_PRECONDITION, details, {
      exception: 'wrong-expected-version',
      'stream-name': stream,
      'expected-version': wanted,
      'actual-version': actual,
    });
  }
  const position = new streams.DeleteResp.Position();
  position.setCommitPosition(String(outcome.position));
  position.setPreparePosition(String(outcome.position));
  return new streams.DeleteResp().setPosition(position);
};

/** Delete: hides what the stream holds; its numbering goes on. */
export const softDelete =
  (store: Store) =>
  (call: ServerUnaryCall<DeleteReq, DeleteResp>, done: sendUnaryData<DeleteResp>): void => {
    deleteOne(store, call.request).then(
      (response) => done(null, response),
      (error: unknown) => done(failedBy(error)),
    );
  };
