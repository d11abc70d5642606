import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HEADS_STREAM } from '#domain';
import {
  EVERY_STREAM,
  headIn,
  lastHead,
  MemoryEventStore,
  provenLog,
  type EventStore,
  type KeptHead,
  type LogEvent,
} from '#platform';
import { isHead, isSignedBy, LeafCheck, leafOf, publicKeyOf, type Checked } from '#proof';
import { chatterOf, HandTime, logged, memoryPorts } from '#testing';
import { SealKeeper } from './seal-keeper.js';
import { signingKeyIn } from './signing-key.js';

const SEED = 11;
const EVERY_S = 10;

const append = async (store: EventStore, events: readonly LogEvent[]): Promise<void> => {
  for (const { stream, revision: _revision, position: _position, ...event } of events)
    await store.append(stream, 'any', [event]);
};
const everything = (store: EventStore) => store.readAll(EVERY_STREAM, undefined, 100_000);

const headsOf = async (store: EventStore): Promise<KeptHead[]> =>
  (await store.read(HEADS_STREAM, 0)).flatMap((event) => headIn(event) ?? []);

describe('the keeper of the seal', () => {
  let folder: string;
  let time: HandTime;
  let ports: ReturnType<typeof memoryPorts>;
  let keeper: SealKeeper;
  let said: readonly LogEvent[];

  const keeperOn = (store: EventStore = ports.store, settings = {}): SealKeeper => {
    const config = { ...ports.config, HEADS_EVERY_S: EVERY_S, ...settings };
    const made = new SealKeeper({ ...ports, config, store, timer: time }, signingKeyIn(folder));
    made.start();
    return made;
  };
  const check = async (store: EventStore): Promise<Checked> => {
    const checked = new LeafCheck({ key: publicKeyOf(keeper.publicKey) });
    for await (const { events, head } of provenLog(store)) {
      for (const event of events) checked.event(event, leafOf(event));
      if (head) checked.head(head);
    }
    return checked.end();
  };

  const passed = async () => {
    await time.pass(EVERY_S * 1_000);
    // The answers come by a real wire, of which the clock knows nothing.
    await new Promise((resolve) => setTimeout(resolve, 100));
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'scripta-heads-'));
    time = new HandTime();
    ports = memoryPorts({}, { clock: time.clock });
    said = await logged(ports.codec, chatterOf({ seed: SEED, events: 700, people: 5, rooms: 4 }));
    await append(ports.store, said.slice(0, 400));
    keeper = keeperOn();
  });
  afterEach(async () => {
    await keeper.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('[Z2] signs a head over all that was said, at intervals, while something is said', async () => {
    await time.pass(2_000);
    const [first] = await headsOf(ports.store);
    const written = (await everything(ports.store)).length - 1;
    expect(first).toMatchObject({ size: written });
    expect(first && isSignedBy(first, publicKeyOf(first.publicKey))).toBe(true);
    await time.pass(60_000);
    expect(await headsOf(ports.store)).toHaveLength(1);
    await append(ports.store, said.slice(400));
    await time.pass(60_000);
    const [, second, ...others] = await headsOf(ports.store);
    // The first head is itself a leaf under the second.
    expect(second?.size).toBe((await everything(ports.store)).length - 1);
    expect(others).toEqual([]);
    expect(await check(ports.store)).toMatchObject({
      heads: 2,
      proven: second?.size,
      problems: [],
    });
  });

  it('[Z2] keeps the signing key where only the platform reads it', () => {
    expect(statSync(join(folder, 'audit', 'signing.key')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'audit', 'signing.pub'), 'utf8')).toBe(keeper.publicKey);
  });

  it('[Z2] goes on after a restart, also when what it kept was lost', async () => {
    await time.pass(2_000);
    await keeper.stop();
    await append(ports.store, said.slice(400));
    keeper = keeperOn();
    await time.pass(2_000);
    await keeper.stop();
    await ports.operations.clear('leaf-tiles', {});
    keeper = keeperOn();
    await time.pass(20_000);
    expect(keeper.report()).toMatchObject({ status: 'sealed', problems: [] });
    expect((await check(ports.store)).problems).toEqual([]);
  });

  it('[Z2] together with another one forks nothing', async () => {
    const other = keeperOn();
    for (let from = 400; from < said.length; from += 50) {
      await append(ports.store, said.slice(from, from + 50));
      await time.pass(EVERY_S * 1_000);
    }
    await other.stop();
    const { heads, problems } = await check(ports.store);
    expect(problems).toEqual([]);
    expect(heads).toBeGreaterThanOrEqual(6);
    expect(keeper.report().status).toBe('sealed');
    expect(other.report().status).toBe('sealed');
  });

  it('[Z2] publishes heads to a file and a URL, each once, also those that had to wait', async () => {
    const got: unknown[] = [];
    let isAway = true;
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (!isAway) got.push(JSON.parse(Buffer.concat(chunks).toString()));
        response.writeHead(isAway ? 503 : 204).end();
      });
    });
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' ? (address?.port ?? 0) : 0);
      });
    });
    await keeper.stop();
    const file = join(folder, 'heads.jsonl');
    const settings = { HEADS_FILE: file, HEADS_URL: `http://127.0.0.1:${port}/` };
    keeper = keeperOn(ports.store, settings);
    await passed();
    await append(ports.store, said.slice(400, 500));
    await passed();
    isAway = false;
    await append(ports.store, said.slice(500));
    for (let look = 0; look < 50 && (got.length < 3 || keeper.report().unpublished > 0); look += 1)
      await passed();
    server.close();
    const heads = await headsOf(ports.store);
    expect(heads.length).toBeGreaterThanOrEqual(2);
    expect(got).toEqual(heads);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(heads);
    expect(heads.every((head) => isHead(head))).toBe(true);
    await keeper.stop();
    keeper = keeperOn(ports.store, { HEADS_FILE: file });
    await passed();
    expect(readFileSync(file, 'utf8').trim().split('\n').length).toBe(
      (await headsOf(ports.store)).length,
    );
  });

  it('[abuse 123] of a log that was altered tells at once, signs nothing more, repairs nothing', async () => {
    await time.pass(2_000);
    const head = await lastHead(ports.store);
    await keeper.stop();
    const log = [...(await everything(ports.store))];
    for (const index of [3, 150, 399]) {
      const victim = log[index];
      if (!victim) throw new Error('There is no such event.');
      const altered = new MemoryEventStore();
      await append(altered, log.with(index, { ...victim, data: { ...victim.data, v: 9 } }));
      const before = await everything(altered);
      keeper = keeperOn(altered);
      await time.pass(10_000);
      await append(altered, said.slice(400, 450));
      await time.pass(60_000);
      const { status, problems } = keeper.report();
      expect(status).toBe('broken');
      expect(problems[0]?.index).toBeLessThanOrEqual(index);
      expect(problems[0]?.to).toBe((head?.size ?? 0) - 1);
      expect((await everything(altered)).slice(0, before.length)).toEqual(before);
      expect(await lastHead(altered)).toMatchObject({ size: head?.size });
      await keeper.stop();
      await ports.operations.clear('leaf-tiles', {});
    }
  });

  it('[abuse 123] finds by looking again what was altered under its tiles', async () => {
    await time.pass(2_000);
    await append(ports.store, said.slice(400));
    await time.pass(20_000);
    await keeper.stop();
    const log = [...(await everything(ports.store))];
    const [, second] = log;
    if (!second) throw new Error('There is no such event.');
    const altered = new MemoryEventStore();
    await append(altered, log.with(1, { ...second, id: second.id.replace(/./u, '0') }));
    // The tiles say that all was hashed before; only another look finds it.
    keeper = keeperOn(altered);
    await time.pass(20_000);
    expect(keeper.report().problems[0]).toMatchObject({ index: 0 });
    expect(keeper.report().status).toBe('broken');
  });
});
