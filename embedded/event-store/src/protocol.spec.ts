import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials as grpcCredentials, status as codes } from '@grpc/grpc-js';
import {
  BACKWARDS,
  END,
  EventStoreDBClient,
  START,
  StreamDeletedError,
  UnsupportedError,
  WrongExpectedVersionError,
  binaryEvent,
  eventTypeFilter,
  jsonEvent,
  persistentSubscriptionToStreamSettingsFromDefaults,
  streamNameFilter,
  type AppendExpectedRevision,
  type EventData,
} from '@eventstore/db-client';
import type { BatchAppendResp, ReadResp } from '@eventstore/db-client/generated/streams_pb.js';
import type * as StreamsGrpc from '@eventstore/db-client/generated/streams_grpc_pb.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStore, type RunningEventStore } from './index.js';
import { shared, streams, type BatchAppendReq, type ReadReq } from './protocol.js';

const require = createRequire(import.meta.url);
// oxlint-disable-next-line typescript/no-unsafe-assignment -- typed by the import above
const grpc: typeof StreamsGrpc = require('@eventstore/db-client/generated/streams_grpc_pb.js');

const dataDir = mkdtempSync(join(tmpdir(), 'scripta-contract-'));
let server: RunningEventStore;
let client: EventStoreDBClient;
let raw: StreamsGrpc.StreamsClient;

beforeAll(async () => {
  server = await startEventStore({ dataDir });
  client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
  raw = new grpc.StreamsClient(`127.0.0.1:${server.port}`, grpcCredentials.createInsecure());
});

afterAll(async () => {
  raw.close();
  await client.dispose();
  await server.close();
  await rm(dataDir, { recursive: true, force: true });
});

const said = (text = 'x', type = 'Said'): EventData => jsonEvent({ type, data: { text } });
const name = (): string => `talk-${randomUUID()}`;

const drained = async <T>(reading: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const one of reading) all.push(one);
  return all;
};

/** Credentials are never checked; with them the client takes the older call. */
const RPCS = {
  BatchAppend: {},
  Append: { credentials: { username: 'admin', password: 'changeit' } },
} as const;

type Appended = { revision: bigint; position: bigint | undefined };

const refusal = (appending: Promise<Appended>): Promise<unknown> =>
  appending.then(
    () => 'accepted',
    (error: unknown) => error,
  );

describe.each(['BatchAppend', 'Append'] as const)('%s', (rpc) => {
  const append = async (
    stream: string,
    events: EventData[],
    expectedRevision: AppendExpectedRevision = 'any',
  ): Promise<Appended> => {
    const options = { expectedRevision, ...RPCS[rpc] };
    const { nextExpectedRevision, position } = await client.appendToStream(stream, events, options);
    return { revision: nextExpectedRevision, position: position?.commit };
  };
  /** A stream with the revisions 0, 1 and 2. */
  const filled = async (): Promise<{ stream: string; events: EventData[] }> => {
    const stream = name();
    const events = [said('0'), said('1'), said('2')];
    await append(stream, events, 'no_stream');
    return { stream, events };
  };

  it.each([
    ['any', undefined, 0n],
    ['any', 2n, 3n],
    ['no_stream', undefined, 0n],
    ['stream_exists', 2n, 3n],
    [2n, 2n, 3n],
  ] as const)(
    'expecting %s of a stream at %s gives revision %s',
    async (expected, at, revision) => {
      const stream = at === undefined ? name() : (await filled()).stream;
      expect(await append(stream, [said()], expected)).toMatchObject({ revision });
    },
  );

  it.each([
    ['no_stream', 2n, 2n],
    ['stream_exists', undefined, 'no_stream'],
    [0n, undefined, 'no_stream'],
    [1n, 2n, 2n],
    [3n, 2n, 2n],
  ] as const)('expecting %s of a stream at %s is refused', async (expected, at, actual) => {
    const stream = at === undefined ? name() : (await filled()).stream;
    const error = await refusal(append(stream, [said()], expected));
    expect(error).toBeInstanceOf(WrongExpectedVersionError);
    expect(error).toMatchObject({
      streamName: stream,
      expectedVersion: expected,
      actualVersion: actual,
    });
  });

  it('takes a repeat, and a prefix of it, for the original', async () => {
    const { stream, events } = await filled();
    const last = await append(stream, events, 'no_stream');
    expect(last.revision).toBe(2n);
    const prefix = await append(stream, events.slice(0, 2), 'no_stream');
    expect(prefix.revision).toBe(1n);
    expect(prefix.position).toBeLessThan(last.position ?? 0n);
    expect((await append(stream, events.slice(1), 0n)).revision).toBe(2n);
  });

  it('refuses a repeat that runs past the end, differs, or begins differently', async () => {
    const { stream, events } = await filled();
    for (const changed of [
      [...events, said()],
      [...events.slice(0, 2), said()],
      [said(), ...events.slice(1)],
    ])
      expect(await refusal(append(stream, changed, 'no_stream'))).toBeInstanceOf(
        WrongExpectedVersionError,
      );
  });

  it.each(['any', 'stream_exists'] as const)(
    'knows ids under %s, in any order',
    async (expected) => {
      const { stream, events } = await filled();
      const [a, b, c] = events;
      if (!a || !b || !c) throw new Error('three events');
      expect((await append(stream, [c, a], expected)).revision).toBe(0n);
      expect(await refusal(append(stream, [b, said()], expected))).toBeInstanceOf(
        WrongExpectedVersionError,
      );
      // A first id that is unknown makes it a new append, known ids included.
      expect((await append(stream, [said(), a], expected)).revision).toBe(4n);
    },
  );

  it('knows ids per stream, and writes one that is twice in an append twice', async () => {
    const event = said();
    await append(name(), [event]);
    const other = name();
    expect((await append(other, [event, event])).revision).toBe(1n);
    expect((await append(other, [event, event], 'no_stream')).revision).toBe(1n);
  });

  it('of no events tells where the stream is', async () => {
    const { stream } = await filled();
    expect((await append(stream, [])).revision).toBe(2n);
    expect(await refusal(append(stream, [], 7n))).toBeInstanceOf(WrongExpectedVersionError);
  });

  it('after a soft delete goes on counting, whatever is expected rightly', async () => {
    for (const expected of ['no_stream', 'any', 2n] as const) {
      const { stream } = await filled();
      await client.deleteStream(stream);
      expect(await refusal(append(stream, [said()], 'stream_exists'))).toBeInstanceOf(
        StreamDeletedError,
      );
      expect((await append(stream, [said('new')], expected)).revision).toBe(3n);
      const seen = [];
      for await (const { event } of client.readStream(stream)) seen.push(event?.revision);
      expect(seen).toEqual([3n]);
    }
  });

  it('refuses metadata that would not be honoured, and names it', async () => {
    const metadata = jsonEvent({ type: '$metadata', data: { $maxAge: 60, $acl: { $r: 'me' } } });
    const error = await refusal(append(`$$${name()}`, [metadata]));
    expect(String(error)).toContain('$maxAge and $acl in stream metadata is not supported');
  });

  it('of a name that no index could hold is refused', async () => {
    const error = await refusal(append('x'.repeat(2_000), [said()]));
    expect(String(error)).toContain('longer than 1024 bytes');
  });
});

describe('appends of one client', () => {
  it('are executed in the order sent, each on the one before', async () => {
    const stream = name();
    await client.appendToStream(name(), [said()]);
    const sent = Array.from({ length: 500 }, (_, n) =>
      client.appendToStream(stream, [said()], {
        expectedRevision: n === 0 ? 'no_stream' : BigInt(n - 1),
      }),
    );
    const revisions = (await Promise.all(sent)).map((done) => Number(done.nextExpectedRevision));
    expect(revisions).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it('that repeat one which is not on disk yet have no second effect', async () => {
    const stream = name();
    const event = said();
    const all = await Promise.all(
      Array.from({ length: 50 }, () => client.appendToStream(stream, [event])),
    );
    expect(new Set(all.map((done) => done.position?.commit)).size).toBe(1);
    expect(all.every((done) => done.nextExpectedRevision === 0n)).toBe(true);
  });

  it('are seen by every reader once they are acknowledged', async () => {
    const reader = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${server.port}?tls=false`);
    for (let n = 0; n < 100; n++) {
      const stream = name();
      const { position } = await client.appendToStream(stream, [said()]);
      const options = { direction: BACKWARDS, fromPosition: END, maxCount: 1 } as const;
      for await (const { event } of reader.readStream(stream, { maxCount: 1 }))
        expect(event?.position?.commit).toBe(position?.commit);
      for await (const { event } of reader.readAll(options)) expect(event?.streamId).toBe(stream);
    }
    await reader.dispose();
  });

  it('that race a delete are never hidden once acknowledged after it', async () => {
    for (let round = 0; round < 20; round++) {
      const stream = name();
      await client.appendToStream(stream, [said('old')]);
      const after = said('new');
      await Promise.all([client.deleteStream(stream), client.appendToStream(stream, [after])]);
      const last = said('last');
      await client.appendToStream(stream, [last]);
      const seen = [];
      for await (const { event } of client.readStream(stream)) seen.push(event?.id);
      expect(seen.at(-1)).toBe(last.id);
      expect([[last.id], [after.id, last.id]]).toContainEqual(seen);
    }
  });

  it('past their deadline are refused and not written', async () => {
    const stream = name();
    const refused = client.appendToStream(stream, [said()], { deadline: -1_000 });
    await expect(refused).rejects.toMatchObject({ type: 'deadline-exceeded' });
    await expect(drained(client.readStream(stream))).rejects.toMatchObject({
      type: 'stream-not-found',
    });
  });
});

/** One part of a batch append, by hand. */
const part = (id: string, stream: string | undefined, events: EventData[], isFinal: boolean) => {
  const request = new streams.BatchAppendReq();
  request.setCorrelationId(new shared.UUID().setString(id));
  request.setIsFinal(isFinal);
  if (stream !== undefined) {
    const options = new streams.BatchAppendReq.Options();
    const identifier = new shared.StreamIdentifier().setStreamName(Buffer.from(stream));
    request.setOptions(options.setStreamIdentifier(identifier).setAny(new shared.Empty()));
  }
  for (const event of events) {
    const message = new streams.BatchAppendReq.ProposedMessage();
    message.setId(new shared.UUID().setString(event.id)).setData(Buffer.from('{}'));
    message.getMetadataMap().set('type', event.type).set('content-type', 'application/json');
    request.addProposedMessages(message);
  }
  return request;
};

type Answers = { answers: [string, string][]; error: string };

/** Sends parts and ends; resolves with every answer that came. */
const exchange = (parts: BatchAppendReq[]): Promise<Answers> =>
  new Promise((resolve) => {
    const answers: [string, string][] = [];
    const call = raw.batchAppend();
    call.on('data', (response: BatchAppendResp) => {
      const told = response.hasError() ? response.getError()?.getMessage() : 'success';
      answers.push([response.getCorrelationId()?.getString() ?? '', told ?? '']);
    });
    call.on('error', (error: Error) => resolve({ answers, error: error.message }));
    call.on('end', () => resolve({ answers, error: '' }));
    for (const one of parts) call.write(one);
    call.end();
  });

describe('every correlation id', () => {
  it('is answered exactly once, however wrong its append is', async () => {
    const ids = Array.from({ length: 6 }, (): string => randomUUID());
    const [good = '', twoParts = '', badType = '', badLater = '', noOptions = '', big = ''] = ids;
    const stream = name();
    const { answers } = await exchange([
      part(good, stream, [said()], true),
      part(twoParts, stream, [said()], false),
      part(badType, stream, [said('', '')], false),
      part(badType, undefined, [said()], false),
      part(badType, undefined, [said()], true),
      part(badLater, stream, [said()], false),
      part(badLater, undefined, [{ ...said(), id: 'nonsense' }], true),
      part(noOptions, undefined, [said()], true),
      part(twoParts, undefined, [said()], true),
      part(big, stream, [said('', 'x'.repeat(3_000))], true),
    ]);
    expect(answers.map(([id]) => id).toSorted()).toEqual(ids.toSorted());
    const told = new Map(answers);
    expect([told.get(good), told.get(twoParts)]).toEqual(['success', 'success']);
    expect(told.get(badType)).toContain('type is empty');
    expect(told.get(badLater)).toContain('not a UUID');
    expect(told.get(noOptions)).toContain('options');
    const revisions = [];
    for await (const { event } of client.readStream(stream)) revisions.push(event?.revision);
    expect(revisions).toEqual([0n, 1n, 2n]);
  });

  it('that is missing ends the call with the reason', async () => {
    const { error } = await exchange([part('', name(), [said()], true)]);
    expect(error).toContain('correlation id');
  });
});

/** A read of the whole log that the client has no options for. */
const readAllRaw = (shape: (options: ReadReq.Options) => void): Promise<string[]> =>
  new Promise((resolve, reject) => {
    const options = new streams.ReadReq.Options();
    options.setUuidOption(new streams.ReadReq.Options.UUIDOption().setString(new shared.Empty()));
    options.setAll(new streams.ReadReq.Options.AllOptions().setStart(new shared.Empty()));
    options.setNoFilter(new shared.Empty()).setCount('1000000');
    shape(options);
    const ids: string[] = [];
    const call = raw.read(new streams.ReadReq().setOptions(options));
    call.on('data', (response: ReadResp) => {
      const id = response.getEvent()?.getEvent()?.getId()?.getString();
      if (id !== undefined) ids.push(id);
    });
    call.on('error', reject);
    call.on('end', () => resolve(ids));
  });

const at = (commit: number, prepare = commit) => {
  const position = new streams.ReadReq.Options.Position();
  position.setCommitPosition(String(commit)).setPreparePosition(String(prepare));
  return new streams.ReadReq.Options.AllOptions().setPosition(position);
};

const { BACKWARDS: BACK } = streams.ReadReq.Options.ReadDirection;

describe('$all', () => {
  it('is read from a position: forwards with it, backwards without it', async () => {
    const stream = name();
    const [a, b, c] = [said(), said(), said()];
    await client.appendToStream(stream, [a, b]);
    const { position } = await client.appendToStream(stream, [c]);
    const from = Number(position?.commit);
    expect(await readAllRaw((options) => options.setAll(at(from)))).toEqual([c.id]);
    const before = await readAllRaw((options) =>
      options.setAll(at(from)).setReadDirection(BACK).setCount('2'),
    );
    expect(before).toEqual([b.id, a.id]);
  });

  it('is read by prefixes in both directions', async () => {
    const type = `Rare${randomUUID()}`;
    const events = [said('', type), said('', `${type}Too`)];
    for (const event of events) await client.appendToStream(name(), [said(), event, said()]);
    const ids = events.map(({ id }) => id);
    const filtered = (options: ReadReq.Options): void => {
      const filter = new streams.ReadReq.Options.FilterOptions().setMax(5);
      const expression = new streams.ReadReq.Options.FilterOptions.Expression();
      options.setFilter(filter.setEventType(expression.setPrefixList([type])));
    };
    expect(await readAllRaw(filtered)).toEqual(ids);
    const backwards = (options: ReadReq.Options): void => {
      filtered(options);
      options
        .setReadDirection(BACK)
        .setAll(new streams.ReadReq.Options.AllOptions().setEnd(new shared.Empty()));
    };
    expect(await readAllRaw(backwards)).toEqual(ids.toReversed());
  });

  it.each([
    ['between two events', (options: ReadReq.Options) => options.setAll(at(3))],
    ['with prepare after commit', (options: ReadReq.Options) => options.setAll(at(0, 9))],
    ['of no events', (options: ReadReq.Options) => options.setCount('0')],
  ])('from a place that cannot be, %s, is refused', async (_, shape) => {
    await client.appendToStream(name(), [said()]);
    await expect(readAllRaw(shape)).rejects.toMatchObject({ code: codes.UNKNOWN });
  });

  it('beyond the end is empty', async () => {
    expect(await readAllRaw((options) => options.setAll(at(10 ** 12)))).toEqual([]);
  });

  it('is the same log in both directions, over many pages', async () => {
    const body = 'x'.repeat(20_000);
    for (let n = 0; n < 10; n++)
      await client.appendToStream(
        name(),
        Array.from({ length: 10 }, () => said(body)),
      );
    await client.appendToStream(name(), [said('x'.repeat(900_000))]);
    const forwards = await readAllRaw(() => undefined);
    const backwards = await readAllRaw((options) =>
      options
        .setReadDirection(BACK)
        .setAll(new streams.ReadReq.Options.AllOptions().setEnd(new shared.Empty())),
    );
    expect(forwards.length).toBeGreaterThan(100);
    expect(backwards).toEqual(forwards.toReversed());
  });
});

describe('an event', () => {
  it('comes back as it went in, with its ticks and its place', async () => {
    const stream = name();
    const json = jsonEvent({ type: 'Said', data: { text: 'größer 👋' }, metadata: { by: 'me' } });
    const binary = binaryEvent({ type: 'Bytes', data: Buffer.from([0, 255, 10]) });
    const before = Date.now();
    const { position } = await client.appendToStream(stream, [json, binary]);
    const got = await drained(client.readStream(stream));
    const [first, second] = got.map(({ event }) => event);
    expect(first).toMatchObject({ id: json.id, type: 'Said', isJson: true, data: json.data });
    expect(first).toMatchObject({ metadata: { by: 'me' }, revision: 0n, streamId: stream });
    expect(second).toMatchObject({ id: binary.id, type: 'Bytes', isJson: false, revision: 1n });
    expect(second?.data).toEqual(new Uint8Array([0, 255, 10]));
    expect([second?.position, got[1]?.commitPosition]).toEqual([position, position?.commit]);
    const created = [first, second].map((event) => event?.created.getTime());
    expect(Math.abs((created[0] ?? 0) - before)).toBeLessThan(60_000);
  });
});

describe('metadata', () => {
  it('carries keys of its own, and is absent where nobody set it', async () => {
    const stream = name();
    expect(await client.getStreamMetadata(stream)).toEqual({ streamName: stream });
    await client.setStreamMetadata(stream, { maxCount: 2, colour: 'red' });
    const { metadata } = await client.getStreamMetadata(stream);
    expect(metadata).toEqual({ maxCount: 2, colour: 'red' });
  });

  it('bounds a stream subscription too, and $all not', async () => {
    const stream = name();
    const events = Array.from({ length: 5 }, () => said());
    await client.appendToStream(stream, events);
    await client.setStreamMetadata(stream, { maxCount: 2 });
    const seen: string[] = [];
    for await (const { event } of client.subscribeToStream(stream)) {
      if (event) seen.push(event.id);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(events.slice(3).map(({ id }) => id));
    const all = await readAllRaw(() => undefined);
    expect(events.every(({ id }) => all.includes(id))).toBe(true);
  });
});

describe('a delete', () => {
  it('that expects wrongly is refused with the numbers', async () => {
    const missing = client.deleteStream(name());
    await expect(missing).rejects.toMatchObject({ expectedVersion: -2n, actualVersion: -1n });
    const stream = name();
    await client.appendToStream(stream, [said(), said()]);
    const wrong = client.deleteStream(stream, { expectedRevision: 7n });
    await expect(wrong).rejects.toMatchObject({ expectedVersion: 7n, actualVersion: 1n });
  });
});

/** Gathers from a subscription until something is there. */
const until = async <T>(value: () => T | undefined): Promise<T> => {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const got = value();
    if (got !== undefined) return got;
    if (Date.now() > deadline) throw new Error('It did not happen in time.');
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
};

describe('a subscription', () => {
  it('of a stream begins after the revision, says once that it caught up, and goes on', async () => {
    const stream = name();
    await client.appendToStream(stream, [said(), said(), said()]);
    const told: string[] = [];
    const subscription = client.subscribeToStream(stream, { fromRevision: 0n });
    subscription.on('confirmation', () => told.push('confirmed'));
    subscription.on('caughtUp', () => told.push('caught up'));
    subscription.on('data', ({ event }) => told.push(String(event?.revision)));
    await until(() => (told.includes('caught up') ? told : undefined));
    await client.appendToStream(stream, [said()]);
    await until(() => (told.length === 5 ? told : undefined));
    expect(told).toEqual(['confirmed', '1', '2', 'caught up', '3']);
    await subscription.unsubscribe();
  });

  it('of a stream that is not there yet waits for it', async () => {
    const stream = name();
    const seen: bigint[] = [];
    const subscription = client.subscribeToStream(stream);
    subscription.on('data', ({ event }) => event && seen.push(event.revision));
    await client.appendToStream(name(), [said()]);
    await client.appendToStream(stream, [said(), said()]);
    await client.deleteStream(stream);
    await client.appendToStream(stream, [said()]);
    await until(() => (seen.includes(2n) ? seen : undefined));
    expect(seen).toEqual([0n, 1n, 2n]);
    await subscription.unsubscribe();
  });

  it('of $all begins after the position it is given', async () => {
    const stream = name();
    const [a, b] = [said(), said()];
    const { position } = await client.appendToStream(stream, [a]);
    await client.appendToStream(stream, [b]);
    for await (const { event } of client.subscribeToAll({ fromPosition: position ?? START })) {
      expect(event?.id).toBe(b.id);
      break;
    }
  });

  it('from the end, or beyond it, gets only what comes', async () => {
    const stream = name();
    await client.appendToStream(stream, [said(), said()]);
    for (const from of [
      { fromPosition: END },
      { fromPosition: { commit: 10n ** 12n, prepare: 10n ** 12n } },
    ] as const) {
      const filter = streamNameFilter({ prefixes: [stream] });
      const seen: string[] = [];
      const subscription = client.subscribeToAll({ ...from, filter });
      subscription.on('data', ({ event }) => event && seen.push(event.id));
      await new Promise<void>((resolve) => {
        subscription.on('caughtUp', resolve);
      });
      const event = said();
      await client.appendToStream(stream, [event]);
      await until(() => (seen.length > 0 ? seen : undefined));
      expect(seen).toEqual([event.id]);
      await subscription.unsubscribe();
    }
  });

  it('with a window tells a checkpoint for every window of events, from which it can go on', async () => {
    const type = `Never${randomUUID()}`;
    const marks: bigint[] = [];
    const subscription = client.subscribeToAll({
      fromPosition: END,
      filter: eventTypeFilter({
        prefixes: [type],
        maxSearchWindow: 5,
        checkpointReached: (_, { commit }) => {
          marks.push(commit);
        },
      }),
    });
    await new Promise<void>((resolve) => {
      subscription.on('caughtUp', resolve);
    });
    const positions: bigint[] = [];
    for (let n = 0; n < 25; n++) {
      const { position } = await client.appendToStream(name(), [said()]);
      positions.push(position?.commit ?? 0n);
    }
    await until(() => (marks.length >= 5 ? marks : undefined));
    await subscription.unsubscribe();
    expect(marks).toEqual(positions.filter((_, n) => n % 5 === 4));
    const mark = marks[3] ?? 0n;
    const event = said('', type);
    await client.appendToStream(name(), [event]);
    const resumed = client.subscribeToAll({
      fromPosition: { commit: mark, prepare: mark },
      filter: eventTypeFilter({ prefixes: [type] }),
    });
    for await (const got of resumed) {
      expect(got.event?.id).toBe(event.id);
      break;
    }
  });

  it('from a position that is no event is refused', async () => {
    await client.appendToStream(name(), [said()]);
    const subscription = client.subscribeToAll({ fromPosition: { commit: 3n, prepare: 3n } });
    const error = await new Promise<Error>((resolve) => {
      subscription.on('error', resolve);
    });
    expect(String(error)).toContain('no event at position 3');
  });
});

describe('what is not supported', () => {
  it.each([
    ['links', () => drained(client.readStream('talk-x', { resolveLinkTos: true })), 'Links'],
    ['links of $all', () => drained(client.readAll({ resolveLinkTos: true })), 'Links'],
    ['tombstones', () => client.tombstoneStream('talk-x'), 'Tombstones'],
    ['projections', () => client.listProjections(), 'Projections'],
  ])('is refused in words: %s', async (_, attempt, word) => {
    await expect(attempt()).rejects.toThrow(word);
  });

  it('is refused in words: persistent subscriptions', async () => {
    const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START });
    const created = client.createPersistentSubscriptionToStream('talk-x', 'group', settings);
    await expect(created).rejects.toThrow(/not supported|requires/u);
    await expect(created).rejects.not.toBeInstanceOf(UnsupportedError);
  });
});
