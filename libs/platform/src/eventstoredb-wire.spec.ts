import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { empties, shared, status, streams } from './eventstoredb-messages.js';
import { appendAnswer, appendRequest, readAnswer } from './eventstoredb-wire.js';

/** What the driver's generated classes make of the same bytes is what the server makes of them. */
const { BatchAppendReq, BatchAppendResp, ReadResp } = streams;

const CORRELATION = '00000000-0000-4000-8000-00000000002a';

const text = fc.string({ unit: 'grapheme' });
const json = fc.dictionary(text, fc.jsonValue()) as fc.Arbitrary<Record<string, unknown>>;
const newEvent = fc.record({ id: fc.uuid(), type: text, data: json, metadata: json });
/** 0, which is left out on the wire, oftener than chance would have it. */
const places = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));

const utf8 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
/** As JSON has it: no -0, and `__proto__` a name like others. */
const throughJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

const uuidOf = (id: string) => {
  const uuid = new shared.UUID();
  uuid.setString(id);
  return uuid;
};

describe('an append on the wire', () => {
  it('is to the server what the driver would have sent', () => {
    const expected = fc.oneof(fc.constant('any' as const), fc.constant(-1), places);
    const events = fc.array(newEvent, { maxLength: 5 });
    fc.assert(
      fc.property(text, expected, events, (stream, at, proposed) => {
        const bytes = appendRequest(CORRELATION, stream, at, proposed);
        const request = BatchAppendReq.deserializeBinary(bytes);
        const { streamPosition, ...options } = request.getOptions()?.toObject() ?? {};
        expect(request.getCorrelationId()?.getString()).toBe(CORRELATION);
        expect(request.getIsFinal()).toBe(true);
        expect(options).toEqual({
          streamIdentifier: { streamName: Buffer.from(stream).toString('base64') },
          any: at === 'any' ? {} : undefined,
          noStream: at === -1 ? {} : undefined,
        });
        expect(streamPosition).toBe(typeof at === 'number' && at >= 0 ? String(at) : '0');
        const read = request.getProposedMessagesList().map((message) => ({
          id: message.getId()?.getString(),
          type: message.getMetadataMap().get('type'),
          data: JSON.parse(utf8(message.getData_asU8())) as unknown,
          metadata: JSON.parse(utf8(message.getCustomMetadata_asU8())) as unknown,
        }));
        expect(read).toEqual(throughJson(proposed));
        for (const message of request.getProposedMessagesList())
          expect(message.getMetadataMap().get('content-type')).toBe('application/json');
      }),
    );
  });

  it('is answered with its place', () => {
    fc.assert(
      fc.property(places, places, (revision, position) => {
        const at = new shared.AllStreamPosition();
        at.setCommitPosition(String(position));
        at.setPreparePosition(String(position));
        const success = new BatchAppendResp.Success();
        success.setCurrentRevision(String(revision));
        success.setPosition(at);
        const answer = new BatchAppendResp();
        answer.setCorrelationId(uuidOf(CORRELATION));
        answer.setSuccess(success);
        answer.setAny(new empties.Empty());
        expect(appendAnswer(Buffer.from(answer.serializeBinary()))).toEqual({
          id: CORRELATION,
          revision,
          position,
          refusal: undefined,
        });
      }),
    );
  });

  it('is answered with the reason of its refusal', () => {
    const refusal = new status.Status();
    refusal.setMessage('WrongExpectedVersion');
    const answer = new BatchAppendResp();
    answer.setCorrelationId(uuidOf(CORRELATION));
    answer.setError(refusal);
    const read = appendAnswer(Buffer.from(answer.serializeBinary()));
    expect(read.id).toBe(CORRELATION);
    expect(status.Status.deserializeBinary(read.refusal ?? Buffer.alloc(0)).getMessage()).toBe(
      'WrongExpectedVersion',
    );
  });
});

const respond = (fill: (answer: InstanceType<typeof ReadResp>) => void) => {
  const answer = new ReadResp();
  fill(answer);
  return readAnswer(Buffer.from(answer.serializeBinary()));
};

describe('an event on the wire', () => {
  it('is read as the driver would have', () => {
    fc.assert(
      fc.property(newEvent, text, places, places, (written, stream, revision, position) => {
        const identifier = new shared.StreamIdentifier();
        identifier.setStreamName(Buffer.from(stream));
        const event = new ReadResp.ReadEvent.RecordedEvent();
        event.setId(uuidOf(written.id));
        event.setStreamIdentifier(identifier);
        event.setStreamRevision(String(revision));
        event.setPreparePosition(String(position));
        event.setCommitPosition(String(position));
        const properties = event.getMetadataMap();
        properties.set('created', '17000000000000000').set('type', written.type);
        properties.set('content-type', 'application/json');
        event.setCustomMetadata(Buffer.from(JSON.stringify(written.metadata)));
        event.setData(Buffer.from(JSON.stringify(written.data)));
        const resolved = new ReadResp.ReadEvent();
        resolved.setEvent(event);
        resolved.setCommitPosition(String(position));
        const place = { stream, revision, position };
        const read = respond((answer) => answer.setEvent(resolved));
        expect(read).toEqual(throughJson({ ...written, ...place }));
      }),
    );
  });

  it('that another writer left without JSON has no data', () => {
    const event = new ReadResp.ReadEvent.RecordedEvent();
    event.setData(Buffer.from([0xff, 0x00]));
    const resolved = new ReadResp.ReadEvent();
    resolved.setEvent(event);
    expect(respond((answer) => answer.setEvent(resolved))).toMatchObject({ data: {} });
  });

  it('comes among confirmations, checkpoints and other messages', () => {
    const checkpoint = (commit: string, prepare: string) => {
      const reached = new ReadResp.Checkpoint();
      reached.setCommitPosition(commit);
      reached.setPreparePosition(prepare);
      return respond((answer) => answer.setCheckpoint(reached));
    };
    expect(checkpoint('4503599627370497', '4503599627370497')).toEqual({
      checkpoint: 4_503_599_627_370_497,
    });
    expect(checkpoint('4503599627370497', '0')).toBe('other');
    const confirmation = new ReadResp.SubscriptionConfirmation();
    confirmation.setSubscriptionId('s');
    expect(respond((answer) => answer.setConfirmation(confirmation))).toBe('confirmed');
    expect(respond((answer) => answer.setCaughtUp(new ReadResp.CaughtUp()))).toBe('caught-up');
    expect(respond((answer) => answer.setFellBehind(new ReadResp.FellBehind()))).toBe('other');
    const missing = new ReadResp.StreamNotFound();
    expect(respond((answer) => answer.setStreamNotFound(missing))).toBe('no-stream');
  });
});
