import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EventStoreDBClient, jsonEvent, type EventData } from '@eventstore/db-client';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SEGMENT_HEAD_BYTES } from './segments.js';

const run = promisify(execFile);
const MAIN = new URL('../../../dist/embedded/event-store/src/main.js', import.meta.url).pathname;
/** Ample for a busy machine; reached only when something is wrong. */
const DEADLINE_MS = 30_000;

type Server = {
  child: ChildProcess;
  client: EventStoreDBClient;
  output: () => string;
  ended: Promise<number | null>;
};

const servers: Server[] = [];
const folders: string[] = [];

const folder = (): string => {
  const made = mkdtempSync(join(tmpdir(), 'scripta-es-process-'));
  folders.push(made);
  return made;
};

const until = async <T>(value: () => T | undefined): Promise<T> => {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const got = value();
    if (got !== undefined) return got;
    if (Date.now() > deadline) throw new Error('It did not happen in time.');
    await new Promise((resolve) => {
      setTimeout(resolve, 10);
    });
  }
};

const launch = async (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Server> => {
  let output = '';
  const child = spawn(process.execPath, [MAIN, '--port', '0', ...args], {
    env: { ...process.env, ...environment },
  });
  child.stdout.on('data', (data) => (output += String(data)));
  child.stderr.on('data', (data) => (output += String(data)));
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });
  const port = await until(() => {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`It ended: ${output}`);
    return /^ready (\d+)$/mu.exec(output)?.[1];
  });
  const client = EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`);
  const server = { child, client, output: () => output, ended };
  servers.push(server);
  return server;
};

const stop = async ({ child, client, ended }: Server): Promise<number | null> => {
  await client.dispose();
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  return ended;
};

const said = (text = 'x'): EventData => jsonEvent({ type: 'Said', data: { text } });

const idsOf = async (client: EventStoreDBClient): Promise<string[]> => {
  const ids: string[] = [];
  for await (const { event } of client.readAll()) if (event) ids.push(event.id);
  return ids;
};

const segmentsOf = (at: string): string[] =>
  readdirSync(at)
    .filter((file) => file.endsWith('.segment'))
    .toSorted()
    .map((file) => join(at, file));

beforeAll(() => {
  if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: npm run build comes first.`);
});

afterEach(async () => {
  for (const server of servers.splice(0)) await stop(server);
  for (const made of folders.splice(0)) await rm(made, { recursive: true, force: true });
});

describe('the process', () => {
  it('answers appends that are on their way, and ends with 0, when it is asked to', async () => {
    const at = folder();
    const server = await launch(['--data-dir', at]);
    const acknowledged: string[] = [];
    const write = async (): Promise<void> => {
      for (;;) {
        const event = said();
        const { success } = await server.client
          .appendToStream(`talk-${randomUUID()}`, event)
          .catch(() => ({ success: false }));
        if (!success) return;
        acknowledged.push(event.id);
      }
    };
    const writing = Promise.all(Array.from({ length: 16 }, write));
    await until(() => (acknowledged.length > 200 ? true : undefined));
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    await writing;
    const again = await launch(['--data-dir', at]);
    const stored = new Set(await idsOf(again.client));
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
  });

  it('tells its health and its version on a port of its own', async () => {
    // Port 0 is any; only the program knows which, so a free one is taken first.
    const { createServer } = await import('node:net');
    const probe = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => {
      probe.once('listening', resolve);
    });
    const address = probe.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await new Promise((resolve) => {
      probe.close(resolve);
    });
    await launch(['--data-dir', folder(), '--http-port', String(port)]);
    const live = await fetch(`http://127.0.0.1:${port}/health/live`);
    expect(live.status).toBe(204);
    const info: unknown = await (await fetch(`http://127.0.0.1:${port}/info`)).json();
    expect(info).toMatchObject({ esVersion: '23.10.8', embedded: true });
  });

  it('keeps nothing when it is ephemeral', async () => {
    const server = await launch(['--ephemeral']);
    await server.client.appendToStream('talk-a', said());
    expect(await stop(server)).toBe(0);
    const again = await launch(['--ephemeral']);
    expect(await idsOf(again.client)).toEqual([]);
  });

  it('refuses a folder that another holds, says who, and takes it after a kill', async () => {
    const at = folder();
    const holder = await launch(['--data-dir', at]);
    const refused = launch(['--data-dir', at]);
    await expect(refused).rejects.toThrow(`${at} is held by process ${holder.child.pid}`);
    holder.child.kill('SIGKILL');
    await holder.ended;
    await launch(['--data-dir', at]);
  });

  it('answers a full disk with an error, loses nothing, and goes on when there is room', async () => {
    const at = folder();
    const server = await launch(['--data-dir', at]);
    const pid = String(server.child.pid);
    const acknowledged: string[] = [];
    const append = async (size: number): Promise<string> => {
      const event = said('x'.repeat(size));
      return server.client.appendToStream('talk-a', event).then(
        () => {
          acknowledged.push(event.id);
          return 'stored';
        },
        (error: unknown) => String(error),
      );
    };
    await append(10);
    // The index of so little is small: the limit is met by the log alone, then by both.
    await run('prlimit', ['--pid', pid, '--fsize=400000:unlimited']);
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => append(50_000)));
    expect(outcomes).toContainEqual(expect.stringContaining('cannot be written'));
    await run('prlimit', ['--pid', pid, '--fsize=0:unlimited']);
    expect(await append(10)).toContain('cannot be written');
    await run('prlimit', ['--pid', pid, '--fsize=unlimited:unlimited']);
    expect(await append(10)).toBe('stored');
    const revisions: number[] = [];
    for await (const { event } of server.client.readStream('talk-a'))
      revisions.push(Number(event?.revision));
    expect(revisions).toEqual(acknowledged.map((_, revision) => revision));
    expect(await stop(server)).toBe(0);
    const again = await launch(['--data-dir', at]);
    expect(await idsOf(again.client)).toEqual(acknowledged);
  });
});

const rssMib = ({ child }: Server): number => {
  const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
  return Number(/VmRSS:\s+(\d+)/u.exec(status)?.[1]) / 1024;
};

describe('subscribers that do not read', () => {
  it('cost no memory that grows with what they have not read, and slow nobody', async () => {
    const server = await launch(['--data-dir', folder()]);
    const body = 'x'.repeat(10_000);
    const write = async (rounds: number): Promise<void> => {
      for (let n = 0; n < rounds; n++)
        await server.client.appendToStream(
          'talk-a',
          Array.from({ length: 50 }, () => said(body)),
        );
    };
    // The caches fill first, so that what grows after is the subscribers' alone.
    await write(60);
    const reader = EventStoreDBClient.connectionString(
      `esdb://127.0.0.1:${/ready (\d+)/u.exec(server.output())?.[1] ?? ''}?tls=false`,
    );
    const stalled = Array.from({ length: 20 }, () => reader.subscribeToAll());
    for (const subscription of stalled) subscription.pause();
    const before = rssMib(server);
    await write(60);
    // Kept for each subscriber, 30 MB would make 600.
    expect(rssMib(server) - before).toBeLessThan(200);
    const [first] = stalled;
    let seen = 0;
    first?.on('data', () => (seen += 1));
    first?.resume();
    await until(() => (seen === 6_000 ? true : undefined));
    for (const subscription of stalled) await subscription.unsubscribe();
    await reader.dispose();
  });
});

describe('events that were acknowledged', () => {
  it('[V1] and are no longer there keep it from starting, and it says what to do', async () => {
    const at = folder();
    const server = await launch(['--data-dir', at]);
    for (let n = 0; n < 3; n++) await server.client.appendToStream('talk-a', said(`${n}`));
    await stop(server);
    const [path = ''] = segmentsOf(at);
    const { size } = await stat(path);
    truncateSync(path, size - 1);
    const refused = launch(['--data-dir', at]);
    await expect(refused).rejects.toThrow('had been acknowledged. Restore the folder');
    expect((await stat(path)).size).toBe(size - 1);
    await rm(join(at, 'index'), { recursive: true });
    const again = await launch(['--data-dir', at]);
    expect(await idsOf(again.client)).toHaveLength(2);
  });

  it('[T24] and whose segment is gone keep it from starting', async () => {
    const at = folder();
    const args = ['--data-dir', at, '--segment-mib', '0.01'];
    const server = await launch(args);
    for (let n = 0; n < 12; n++)
      await server.client.appendToStream('talk-a', said('x'.repeat(3_000)));
    await stop(server);
    const segments = segmentsOf(at);
    expect(segments.length).toBeGreaterThan(2);
    for (const [which, message] of [
      [0, 'missing'],
      [1, 'begins at'],
      [segments.length - 1, 'had been acknowledged'],
    ] as const) {
      const path = segments[which] ?? '';
      const bytes = readFileSync(path);
      await rm(path);
      await expect(launch(args)).rejects.toThrow(message);
      await writeFile(path, bytes);
    }
    const again = await launch(args);
    expect(await idsOf(again.client)).toHaveLength(12);
  });

  it('[T24] and are damaged before the last segment are never skipped in silence', async () => {
    const at = folder();
    const args = ['--data-dir', at, '--segment-mib', '0.01'];
    const server = await launch(args);
    for (let n = 0; n < 12; n++)
      await server.client.appendToStream('talk-a', said('x'.repeat(3_000)));
    await stop(server);
    const [path = ''] = segmentsOf(at);
    const bytes = readFileSync(path);
    const offset = SEGMENT_HEAD_BYTES + 1_000;
    bytes[offset] = (bytes[offset] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const again = await launch(args);
    await expect(idsOf(again.client)).rejects.toThrow(`${path} is damaged at offset`);
    await stop(again);
    const scrubbed = await run(process.execPath, [MAIN, 'scrub', '--data-dir', at]).then(
      () => '',
      (error: { stdout: string }) => error.stdout,
    );
    expect(scrubbed).toContain('100 % of');
    expect(scrubbed).toContain(`damaged: ${path} at offset ${SEGMENT_HEAD_BYTES}: `);
    expect(scrubbed).toContain('11 events');
  });
});

const filled = async (): Promise<{ at: string; event: EventData }> => {
  const at = folder();
  const server = await launch(['--data-dir', at]);
  const event = said('first');
  await server.client.appendToStream('talk-a', event);
  for (let n = 0; n < 20; n++)
    await server.client.appendToStream(
      `talk-${n}`,
      Array.from({ length: 100 }, () => said()),
    );
  await stop(server);
  return { at, event };
};

describe('an index', () => {
  it.each([
    ['cut short', (path: string, size: number) => Promise.resolve(truncateSync(path, size / 2))],
    ['empty', (path: string) => Promise.resolve(truncateSync(path, 0))],
    ['overwritten', (path: string, size: number) => writeFile(path, Buffer.alloc(size, 0x5a))],
    ['gone', (path: string) => rm(join(path, '..'), { recursive: true })],
    ['on trial', (path: string) => writeFile(join(path, '..', '..', 'index.on-trial'), '')],
  ])('that is %s is rebuilt from the log', async (_, damage) => {
    const { at, event } = await filled();
    const path = join(at, 'index', 'data.mdb');
    await damage(path, (await stat(path)).size);
    const { client } = await launch(['--data-dir', at]);
    expect(await idsOf(client)).toHaveLength(2_001);
    const repeat = await client.appendToStream('talk-a', event);
    expect(repeat.nextExpectedRevision).toBe(0n);
    const next = await client.appendToStream('talk-7', said(), { expectedRevision: 99n });
    expect(next.nextExpectedRevision).toBe(100n);
  });

  it('whose pages end the process is rebuilt by the next start', async () => {
    const { at } = await filled();
    const path = join(at, 'index', 'data.mdb');
    const bytes = readFileSync(path);
    await writeFile(path, bytes.fill(0, 2 * 4_096));
    await expect(launch(['--data-dir', at])).rejects.toThrow('It ended');
    const { client } = await launch(['--data-dir', at]);
    const next = await client.appendToStream('talk-7', said(), { expectedRevision: 99n });
    expect(next.nextExpectedRevision).toBe(100n);
  });
});
