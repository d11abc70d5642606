import { type ChildProcess, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { open } from 'lmdb';
import { BSON, type Document, MongoClient } from 'mongodb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startDocumentStore } from '../index.js';
import { Store } from './store.js';

const MAIN = fileURLToPath(
  new URL('../../../../dist/embedded/document-store/src/main.js', import.meta.url),
);
const KILLS = Number(process.env['KILLS'] ?? 5);

interface Entry extends Document {
  _id: string;
  lane: number;
  n: number;
}

let folder: string;
const running = new Set<ChildProcess>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'document-store-'));
});

afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  rmSync(folder, { recursive: true, force: true });
});

interface Server {
  readonly child: ChildProcess;
  readonly port: number;
  readonly ended: Promise<number | null>;
}

async function start(...args: string[]): Promise<Server> {
  expect(existsSync(MAIN), 'build first: npm run build').toBe(true);
  const child = spawn(process.execPath, [MAIN, '--data-dir', folder, '--port', '0', ...args]);
  running.add(child);
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => resolve(code));
  });
  let text = '';
  const port = await new Promise<number>((resolve, reject) => {
    const read = (bytes: Buffer): void => {
      text += bytes.toString();
      const match = /^ready (\d+)$/m.exec(text);
      if (match !== null) resolve(Number(match[1]));
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.on('exit', () => reject(new Error(text)));
  });
  return { child, port, ended };
}

describe('a killed server', () => {
  it(`[V1] holds all that it acknowledged, and its indexes agree, after ${KILLS} kills`, async () => {
    const all = new Map<string, number>();
    for (let kill = 0; kill < KILLS; kill++) {
      const server = await start();
      const client = new MongoClient(`mongodb://127.0.0.1:${server.port}`, {
        serverSelectionTimeoutMS: 500,
        retryWrites: false,
      });
      const entries = client.db(`kill${kill}`).collection<Entry>('entries');
      await entries.createIndex({ lane: 1, n: 1 }, { unique: true });
      const acked = new Map<string, number>();
      const lanes = [0, 1, 2].map(async (lane) => {
        try {
          for (let n = 0; ; n += 20) {
            const ids = Array.from({ length: 20 }, (_, at) => n + at);
            await entries.bulkWrite(
              ids.map((number) => ({
                replaceOne: {
                  filter: { _id: `${lane}-${number}` },
                  replacement: { lane, n: number },
                  upsert: true,
                },
              })),
              { ordered: false },
            );
            for (const number of ids) acked.set(`${lane}-${number}`, number);
          }
        } catch {
          return lane;
        }
      });
      await expect.poll(() => acked.size, { timeout: 20_000 }).toBeGreaterThan(200 + kill * 137);
      server.child.kill('SIGKILL');
      await Promise.all([...lanes, server.ended]);
      await client.close();
      for (const [id, number] of acked) all.set(`kill${kill}/${id}`, number);
    }
    const server = await start();
    const client = new MongoClient(`mongodb://127.0.0.1:${server.port}`);
    for (let kill = 0; kill < KILLS; kill++) {
      const entries = client.db(`kill${kill}`).collection<Entry>('entries');
      const stored = await entries.find({}).toArray();
      const names = new Set(stored.map(({ _id }) => `kill${kill}/${_id}`));
      const lost = [...all.keys()].filter((id) => id.startsWith(`kill${kill}/`) && !names.has(id));
      expect(lost).toEqual([]);
      const byIndex = await entries
        .find({ lane: { $gte: 0 } })
        .hint('lane_1_n_1')
        .toArray();
      expect(byIndex.map(({ _id }) => _id).toSorted()).toEqual(
        stored.map(({ _id }) => _id).toSorted(),
      );
      expect(await entries.estimatedDocumentCount()).toBe(stored.length);
    }
    await client.close();
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
  });
});

describe('a write that fails in an unforeseen way', () => {
  it('is undone alone: those beside it are done', async () => {
    const store = Store.open(folder);
    const put = async (name: string): Promise<void> =>
      store.write(() => {
        store.touch(store.obtain('test', name));
      });
    const results = await Promise.allSettled([
      put('before'),
      store.write(() => {
        store.obtain('test', 'half');
        throw new TypeError('a bug');
      }),
      put('after'),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([...store.collections.keys()].toSorted()).toEqual(['test.after', 'test.before']);
    await store.close();
    const again = Store.open(folder);
    expect([...again.collections.keys()].toSorted()).toEqual(['test.after', 'test.before']);
    await again.close();
  });
});

/** An OP_MSG that asks for a whole collection. */
function findMessage(name: string): Buffer {
  const body = BSON.serialize({ find: name, $db: 'test' });
  const message = Buffer.alloc(21 + body.length);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(2013, 12);
  message.set(body, 21);
  return message;
}

async function keysIn(path: string): Promise<number> {
  const root = open({ path, noSubdir: false, encoding: 'binary', overlappingSync: false });
  const data = root.openDB<Buffer, Buffer>('data', { keyEncoding: 'binary', encoding: 'binary' });
  const keys = data.getKeysCount({});
  await root.close();
  return keys;
}

const holdsCanary = (): boolean =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .some(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes('GONE-CANARY'));

describe('a data folder', () => {
  it('is refused while another process holds it', async () => {
    const server = await start();
    const pid = String(server.child.pid);
    await expect(start()).rejects.toThrow(`is held by process ${pid}`);
    await expect(startDocumentStore({ dataDir: folder, port: 0 })).rejects.toThrow('--data-dir');
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    const again = await start();
    again.child.kill('SIGINT');
    expect(await again.ended).toBe(0);
  });

  it('is refused when a newer version wrote it', async () => {
    const store = await startDocumentStore({ dataDir: folder, port: 0 });
    await store.close();
    const root = open({
      path: folder,
      noSubdir: false,
      encoding: 'binary',
      overlappingSync: false,
    });
    const meta = root.openDB<Buffer, string>('meta', { encoding: 'binary' });
    await meta.put('format', Buffer.from('99'));
    await root.close();
    await expect(startDocumentStore({ dataDir: folder, port: 0 })).rejects.toThrow(
      /newer version \(format 99.*can be rebuilt from the log/s,
    );
  });

  it('is refused when it cannot be opened, saying what to do', async () => {
    writeFileSync(join(folder, 'data.mdb'), Buffer.alloc(65_536, 0x5a));
    await expect(startDocumentStore({ dataDir: folder, port: 0 })).rejects.toThrow(
      /cannot be opened.*rebuilt from the log/s,
    );
  });

  it('is refused when its file is cut short', async () => {
    const store = await startDocumentStore({ dataDir: folder, port: 0 });
    const client = await new MongoClient(`mongodb://127.0.0.1:${store.port}`).connect();
    const lines = client.db('test').collection('lines');
    await lines.insertMany(Array.from({ length: 500 }, (_, n) => ({ n, text: 'x'.repeat(500) })));
    await client.close();
    await store.close();
    truncateSync(join(folder, 'data.mdb'), 40_960);
    await expect(startDocumentStore({ dataDir: folder, port: 0 })).rejects.toThrow(
      /cut short.*rebuilt from the log/s,
    );
  });

  it('keeps collections, indexes and counts over a restart', async () => {
    for (const round of [1, 2]) {
      const store = await startDocumentStore({ dataDir: folder, port: 0 });
      const client = await new MongoClient(`mongodb://127.0.0.1:${store.port}`).connect();
      const lines = client.db('test').collection<Entry>('lines');
      if (round === 1) {
        await lines.createIndex({ lane: 1, n: -1 }, { unique: true });
        await lines.insertMany([
          { _id: 'a', lane: 1, n: 1 },
          { _id: 'b', lane: 1, n: 2 },
        ]);
      }
      expect(
        await lines
          .find({ lane: 1 })
          .hint('lane_1_n_-1')
          .map(({ _id }) => _id)
          .toArray(),
      ).toEqual(['b', 'a']);
      expect(await lines.estimatedDocumentCount()).toBe(2);
      await client.close();
      await store.close();
    }
  });

  it('[V22] holds no byte of what was removed once it is compacted, also when killed meanwhile', async () => {
    const server = await start();
    const client = await new MongoClient(`mongodb://127.0.0.1:${server.port}`).connect();
    const lines = client.db('test').collection('lines');
    await lines.createIndex({ n: 1 });
    await lines.insertMany(
      Array.from({ length: 5_000 }, (_, n) => ({ n, text: 'KEPT' + 'x'.repeat(99) })),
    );
    await lines.insertMany(
      Array.from({ length: 5_000 }, (_, n) => ({ n, text: `GONE-CANARY ${n}` })),
    );
    await client.db('test').collection('dropped').insertOne({ text: 'GONE-CANARY' });
    expect(holdsCanary()).toBe(true);
    await lines.deleteMany({ text: /^GONE/ });
    await client.db('test').collection('dropped').drop();
    // Reads and writes go on; what was acknowledged meanwhile is there after.
    const compacting = client.db('test').command({ compact: 'lines' });
    const meanwhile = [lines.insertOne({ n: -1, text: 'new' }), lines.countDocuments({ n: 4_999 })];
    const { bytesBefore, bytesAfter } = z
      .object({ bytesBefore: z.number(), bytesAfter: z.number() })
      .parse(await compacting);
    expect((await Promise.all(meanwhile))[1]).toBe(1);
    expect(bytesAfter).toBeLessThan(bytesBefore);
    expect(holdsCanary()).toBe(false);
    expect(await lines.countDocuments()).toBe(5_001);
    expect(await lines.countDocuments({ n: { $gte: 4_000 } })).toBe(1_000);
    await expect(client.db('test').command({ compact: 'nothing' })).rejects.toThrow('ns not found');
    client
      .db('test')
      .command({ compact: 'lines' })
      .catch(() => undefined);
    await lines.insertOne({ n: -2, text: 'newer' }).catch(() => undefined);
    server.child.kill('SIGKILL');
    await server.ended;
    await client.close();
    const again = await start();
    const second = await new MongoClient(`mongodb://127.0.0.1:${again.port}`).connect();
    const found = second.db('test').collection('lines');
    expect(await found.countDocuments({ n: { $gte: -1 } })).toBe(5_001);
    await second.db('test').command({ compact: 'lines' });
    expect(await found.countDocuments({ n: 17 })).toBe(1);
    expect(holdsCanary()).toBe(false);
    await second.close();
  });

  it('is emptied of what was dropped, though it is stopped meanwhile', async () => {
    const first = await startDocumentStore({ dataDir: folder, port: 0 });
    const client = await new MongoClient(`mongodb://127.0.0.1:${first.port}`).connect();
    const lines = client.db('test').collection('lines');
    await lines.insertMany(Array.from({ length: 9_000 }, (_, n) => ({ n, text: 'x'.repeat(99) })));
    await lines.drop();
    await client.close();
    await first.close();
    await expect
      .poll(
        async () => {
          const again = await startDocumentStore({ dataDir: folder, port: 0 });
          await again.close();
          return keysIn(folder);
        },
        { timeout: 20_000 },
      )
      .toBe(0);
  });

  it('is given back though a client does not read its answers', async () => {
    const server = await start();
    const client = await new MongoClient(`mongodb://127.0.0.1:${server.port}`).connect();
    const text = 'x'.repeat(15 * 1024 * 1024);
    await client.db('test').collection('lines').insertOne({ text });
    await client.close();
    const deaf = connect(server.port, '127.0.0.1');
    deaf.on('error', () => undefined);
    for (let ask = 0; ask < 20; ask++) deaf.write(findMessage('lines'));
    await new Promise<void>((resolve) => {
      deaf.once('data', () => {
        deaf.pause();
        resolve();
      });
    });
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    deaf.destroy();
  });

  it('goes with the process when it is ephemeral', async () => {
    const server = await start('--ephemeral');
    expect(readdirSync(folder)).toHaveLength(1);
    server.child.kill('SIGTERM');
    expect(await server.ended).toBe(0);
    expect(readdirSync(folder)).toEqual([]);
  });
});
