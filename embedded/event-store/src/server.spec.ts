import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  EventStoreDBClient,
  MaxAppendSizeExceededError,
  StreamNotFoundError,
  WrongExpectedVersionError,
  eventTypeFilter,
  jsonEvent,
  streamNameFilter,
  type AllStreamSubscription,
  type EventData,
} from '@eventstore/db-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startEventStore, type RunningEventStore } from './index.js';

const dataDir = mkdtempSync(join(tmpdir(), 'scripta-es-'));
let server: RunningEventStore;
let client: EventStoreDBClient;

const connect = (port: number): EventStoreDBClient =>
  EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`);

const start = async (): Promise<void> => {
  server = await startEventStore({ dataDir });
  client = connect(server.port);
};

beforeAll(start);

afterAll(async () => {
  await client.dispose();
  await server.close();
  await rm(dataDir, { recursive: true, force: true });
});

const said = (text: string, type = 'Said'): EventData => jsonEvent({ type, data: { text } });
const name = (): string => `talk-${randomUUID()}`;

const textsOf = async (stream: string, options = {}): Promise<string[]> => {
  const texts: string[] = [];
  for await (const { event } of client.readStream(stream, options))
    if (event) texts.push(JSON.stringify(event.data));
  return texts;
};

const gather = async (subscription: AllStreamSubscription, count: number): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { event } of subscription) {
    if (event) ids.push(event.id);
    if (ids.length === count) break;
  }
  return ids;
};

describe('an append', () => {
  it('answers with the revision and a growing position', async () => {
    const stream = name();
    const one = await client.appendToStream(stream, [said('a'), said('b')]);
    const two = await client.appendToStream(stream, said('c'), { expectedRevision: 1n });
    expect([one.nextExpectedRevision, two.nextExpectedRevision]).toEqual([1n, 2n]);
    expect(two.position?.commit).toBeGreaterThan(one.position?.commit ?? 0n);
  });

  it.each([
    ['no_stream', 0n],
    ['stream_exists', 'no_stream'],
    [5n, 0n],
  ] as const)('that expects %s wrongly is refused with the actual %s', async (expected, actual) => {
    const stream = name();
    if (actual !== 'no_stream') await client.appendToStream(stream, said('a'));
    const refused = client.appendToStream(stream, said('b'), { expectedRevision: expected });
    await expect(refused).rejects.toBeInstanceOf(WrongExpectedVersionError);
    await expect(refused).rejects.toMatchObject({ actualVersion: actual });
  });

  it('with credentials goes by the other call, to the same effect', async () => {
    const stream = name();
    const credentials = { username: 'admin', password: 'changeit' };
    const options = { expectedRevision: 'no_stream', credentials } as const;
    const { nextExpectedRevision } = await client.appendToStream(stream, said('a'), options);
    expect(nextExpectedRevision).toBe(0n);
    const refused = client.appendToStream(stream, said('b'), options);
    await expect(refused).rejects.toBeInstanceOf(WrongExpectedVersionError);
  });

  it('has one winner of forty that race', async () => {
    const stream = name();
    const racing = Array.from({ length: 40 }, (_, n) =>
      client.appendToStream(stream, said(`${n}`), { expectedRevision: 'no_stream' }),
    );
    const outcomes = await Promise.allSettled(racing);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await textsOf(stream)).toHaveLength(1);
  });

  it('of more than 1 MiB is refused with the limit', async () => {
    const refused = client.appendToStream(name(), said('x'.repeat(1_100_000)));
    await expect(refused).rejects.toBeInstanceOf(MaxAppendSizeExceededError);
    await expect(refused).rejects.toMatchObject({ maxAppendSize: 1_048_576 });
  });

  it.each([
    ['an empty stream name', '', said('a')],
    ['an empty type', 'talk-x', said('a', '')],
    ['an id that is no UUID', 'talk-x', { ...said('a'), id: 'nonsense' }],
    ['a link', 'talk-x', said('0@talk-y', '$>')],
  ])('with %s is refused once, and the connection lives', async (_, stream, event) => {
    await expect(client.appendToStream(stream, event)).rejects.toThrow('Could not recognize');
    // The original answers such an append a second time two seconds later, which kills its client.
    const after = await client.appendToStream(name(), said('still here'));
    expect(after.success).toBe(true);
  });
});

describe('a repeated append', () => {
  it('has no second effect, whatever it expects, also after a restart', async () => {
    const stream = name();
    const [a, b] = [said('a'), said('b')];
    const first = await client.appendToStream(stream, [a, b], { expectedRevision: 'no_stream' });
    await client.appendToStream(stream, said('c'));
    const repeats = async (): Promise<void> => {
      for (const expectedRevision of ['no_stream', 'any', 'stream_exists'] as const) {
        const repeat = await client.appendToStream(stream, [a, b], { expectedRevision });
        expect(repeat.nextExpectedRevision).toBe(first.nextExpectedRevision);
        expect(repeat.position).toEqual(first.position);
      }
      expect(await textsOf(stream)).toHaveLength(3);
    };
    await repeats();
    await client.dispose();
    await server.close();
    await start();
    await repeats();
  });

  it('that goes on differently is refused', async () => {
    const stream = name();
    const a = said('a');
    await client.appendToStream(stream, a);
    for (const expectedRevision of ['no_stream', 'any'] as const) {
      const refused = client.appendToStream(stream, [a, said('b')], { expectedRevision });
      await expect(refused).rejects.toBeInstanceOf(WrongExpectedVersionError);
    }
  });
});

describe('a stream', () => {
  it('is read in both directions from any revision', async () => {
    const stream = name();
    await client.appendToStream(stream, [said('a'), said('b'), said('c')]);
    const of = async (options: object) => (await textsOf(stream, options)).join('');
    expect(await of({ fromRevision: 1n, maxCount: 1 })).toBe('{"text":"b"}');
    expect(await of({ direction: 'backwards', fromRevision: 'end', maxCount: 2 })).toBe(
      '{"text":"c"}{"text":"b"}',
    );
    expect(await of({ direction: 'backwards', fromRevision: 99n, maxCount: 1 })).toBe(
      '{"text":"c"}',
    );
    expect(await of({ fromRevision: 99n })).toBe('');
  });

  it('that is not there says so', async () => {
    await expect(textsOf(name())).rejects.toBeInstanceOf(StreamNotFoundError);
  });

  it('keeps its last events by $maxCount, and hides what stands before $tb', async () => {
    const stream = name();
    await client.appendToStream(stream, [said('a'), said('b'), said('c')]);
    await client.setStreamMetadata(stream, { maxCount: 1 });
    expect(await textsOf(stream)).toEqual(['{"text":"c"}']);
    await client.setStreamMetadata(stream, { truncateBefore: 1 });
    expect(await textsOf(stream)).toEqual(['{"text":"b"}', '{"text":"c"}']);
    const { metadata } = await client.getStreamMetadata(stream);
    expect(metadata).toEqual({ truncateBefore: 1 });
  });

  it('goes on counting after it was deleted', async () => {
    const stream = name();
    await client.appendToStream(stream, [said('a'), said('b')]);
    await client.deleteStream(stream);
    await expect(textsOf(stream)).rejects.toBeInstanceOf(StreamNotFoundError);
    const options = { expectedRevision: 'no_stream' } as const;
    const { nextExpectedRevision } = await client.appendToStream(stream, said('c'), options);
    expect(nextExpectedRevision).toBe(2n);
    expect(await textsOf(stream)).toEqual(['{"text":"c"}']);
  });
});

describe('a subscription', () => {
  it('goes from what is there to what comes, in order, without a gap or a repeat', async () => {
    const mark = name();
    const expected: string[] = [];
    const write = async (count: number): Promise<void> => {
      for (let n = 0; n < count; n++) {
        const event = said(`${n}`);
        expected.push(event.id);
        await client.appendToStream(`${mark}-${n % 7}`, event);
      }
    };
    await write(300);
    const subscription = client.subscribeToAll({ filter: streamNameFilter({ prefixes: [mark] }) });
    const gathering = gather(subscription, 900);
    await write(600);
    expect(await gathering).toEqual(expected);
  });

  it('by type tells how far it has looked', async () => {
    const type = `Rare${randomUUID().slice(0, 8)}`;
    const seen: bigint[] = [];
    const subscription = client.subscribeToAll({
      filter: eventTypeFilter({
        prefixes: [type],
        checkpointInterval: 1,
        checkpointReached: (_, { commit }) => {
          seen.push(commit);
        },
      }),
    });
    const rare = said('here', type);
    await client.appendToStream(
      name(),
      [...Array(100).keys()].map((n) => said(`${n}`)),
    );
    await client.appendToStream(name(), rare);
    expect(await gather(subscription, 1)).toEqual([rare.id]);
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual(seen.toSorted((a, b) => Number(a - b)));
  });

  it('that is slow gets everything, and slows nobody else', async () => {
    const mark = name();
    const filter = streamNameFilter({ prefixes: [mark] });
    const slow = client.subscribeToAll({ filter });
    const quick = client.subscribeToAll({ filter });
    const ids: string[] = [];
    const body = 'x'.repeat(2_000);
    const writing = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        const events = Array.from({ length: 50 }, () => said(body));
        ids.push(...events.map(({ id }) => id));
        await client.appendToStream(mark, events);
      }
    };
    // The slow one reads nothing until the quick one has it all: 4 MiB are in between.
    const [first] = await Promise.all([gather(quick, 2_000), writing()]);
    expect(first).toEqual(ids);
    expect(await gather(slow, 2_000)).toEqual(ids);
  });

  it('to what is not supported is refused in words', async () => {
    const subscription = client.subscribeToAll({ filter: streamNameFilter({ regex: 'a.*' }) });
    const refused = new Promise<Error>((resolve) => {
      subscription.once('error', resolve);
    });
    expect(String(await refused)).toContain('prefix');
  });
});

it('refuses a folder that another process holds', async () => {
  await expect(startEventStore({ dataDir })).rejects.toThrow(`held by process ${process.pid}`);
});

const MAIN = new URL('../../../dist/embedded/event-store/src/main.js', import.meta.url).pathname;

const launch = async (
  folder: string,
  environment: Readonly<Record<string, string>>,
): Promise<{ child: ChildProcess; port: number }> => {
  const child = spawn(process.execPath, [MAIN, '--data-dir', folder, '--port', '0'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const port = /^ready (\d+)/u.exec(line)?.[1];
    if (port !== undefined) return { child, port: Number(port) };
  }
  throw new Error('The server did not become ready.');
};

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });

describe.each(['log.written', 'log.synced'])('killed at %s', (point) => {
  it('[V1] has every event that it acknowledged', async () => {
    expect(existsSync(MAIN), 'npm run build comes first').toBe(true);
    const folder = mkdtempSync(join(tmpdir(), 'scripta-kill-'));
    const acknowledged: string[] = [];
    for (let life = 0; life < 5; life++) {
      const { child, port } = await launch(folder, { SCRIPTA_CRASH_AT: `${point}:${20 + life}` });
      const writer = connect(port);
      const write = async (worker: number): Promise<void> => {
        while (child.signalCode === null) {
          const event = said('x');
          const stream = `talk-${worker}`;
          const options = { deadline: 2_000 };
          const done = await writer.appendToStream(stream, event, options).then(
            () => true,
            () => false,
          );
          if (!done) return;
          acknowledged.push(event.id);
        }
      };
      await Promise.all([1, 2, 3, 4].map(write));
      await gone(child);
      expect(child.signalCode).toBe('SIGKILL');
      await writer.dispose();
    }
    const { child, port } = await launch(folder, {});
    const reader = connect(port);
    const stored = new Set<string>();
    for await (const { event } of reader.readAll()) if (event) stored.add(event.id);
    expect(acknowledged.length).toBeGreaterThan(50);
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    await reader.dispose();
    child.kill('SIGTERM');
    await gone(child);
    await rm(folder, { recursive: true, force: true });
  });

  it('[V1] had acknowledged nothing of the group that it died with', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'scripta-kill-'));
    // One writer that waits for each answer: each append is a group of its own.
    const { child, port } = await launch(folder, { SCRIPTA_CRASH_AT: `${point}:20` });
    const writer = connect(port);
    let acknowledged = 0;
    for (let n = 0; n < 40; n++) {
      const done = await writer.appendToStream('talk-a', said(`${n}`)).then(
        () => true,
        () => false,
      );
      if (!done) break;
      acknowledged += 1;
    }
    await gone(child);
    await writer.dispose();
    // A power cut would have taken what was written and not synced: it may not be missed.
    expect(acknowledged).toBe(19);
    await rm(folder, { recursive: true, force: true });
  });
});
