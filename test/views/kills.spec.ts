import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  connectMongo,
  digestOf,
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  MemoryViewStore,
  MemoryViewWriter,
  MongoViewSwitch,
  MongoViewWriter,
  PROJECTIONS,
  ReadModelRunner,
  SystemClock,
  SystemRandom,
  SystemTimer,
  type CrashPoint,
  type ViewWriter,
} from '#platform';
import { append, chatterOf, Platform, startPlatform, until } from '#testing';

const SEED = 15;
/** Lives of the projector that end at each point; `SCRIPTA_KILLS` asks for more. */
const KILLS = Number(process.env['SCRIPTA_KILLS'] ?? 5);
const PAGE_EVENTS = 1_000;
const REBUILD = fileURLToPath(new URL('../../dist/tools/rebuild/main.js', import.meta.url));
const NAMES = PROJECTIONS.map(({ name }) => name);

const digestsOf = async (writer: ViewWriter): Promise<readonly string[]> =>
  Promise.all(PROJECTIONS.map(async ({ name }) => (await digestOf(writer, name)).sha256));

/** Runs the operator's tool to its end. */
const rebuilding = (env: Readonly<Record<string, string>>, ...options: readonly string[]) =>
  new Promise<Readonly<{ code: number | null; out: string; error: string }>>((resolve) => {
    const child = spawn(process.execPath, [REBUILD, ...options], { env });
    let [out, error] = ['', ''];
    child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
    child.stderr.on('data', (bytes: Buffer) => (error += bytes.toString()));
    child.on('exit', (code) => resolve({ code, out, error }));
  });

const lagSchema = z.record(
  z.string(),
  z.object({ position: z.number(), head: z.number(), lagMs: z.number() }),
);
const rebuiltSchema = z.object({
  events: z.number(),
  views: z
    .object({
      view: z.string(),
      before: z.object({ sha256: z.string() }),
      after: z.object({ sha256: z.string() }),
    })
    .array(),
});

describe(`a projector that is killed (seed ${SEED})`, () => {
  let platform: Platform;
  let store: EventStoreDb;
  let codec: JsonCodec;
  let keys: LocalKeys;
  const [clock, random, timer] = [new SystemClock(), new SystemRandom(), new SystemTimer()];

  beforeAll(async () => {
    platform = await startPlatform();
    for (const name of ['realtime', 'command-api', 'projector'] as const)
      await platform.kill(name, 'SIGTERM');
    const { EVENTSTORE_URL = '', DATA_DIR = '' } = platform.settings;
    keys = await LocalKeys.open({ dataDir: DATA_DIR, masterKey: '' }, clock);
    codec = new JsonCodec(keys, random);
    store = new EventStoreDb(EVENTSTORE_URL);
  });
  afterAll(async () => {
    await Promise.all([store.close(), keys.close()]);
    await platform.stop();
  });

  /** What the log says the views hold: folded in this process, in memory, in one go. */
  const expected = async (): Promise<readonly string[]> => {
    const writer = new MemoryViewWriter(new MemoryViewStore());
    const ports = { store, codec, clock, timer, writer, log: () => {} };
    const runner = new ReadModelRunner(PROJECTIONS, ports);
    await runner.start();
    for (let after: number | undefined; ;) {
      const page = await store.readAll(runner.prefixes, after, PAGE_EVENTS);
      const last = page.at(-1);
      if (!last) break;
      await runner.apply(page);
      after = last.position;
    }
    await runner.settled();
    return digestsOf(writer);
  };

  it.each<CrashPoint>(['projector.documents-written', 'projector.checkpoint-written'])(
    '[V15] at %s, again and again, skips nothing and repeats nothing',
    async (point) => {
      const mongo = connectMongo(platform.settings['MONGODB_URL'] ?? '');
      const writer = new MongoViewWriter(mongo);
      const silence = new AbortController();
      const talking = (async () => {
        for (let seed = SEED; !silence.signal.aborted; seed += 1)
          await append(store, codec, chatterOf({ seed, events: 120, people: 5, rooms: 3 }));
      })();
      const stood: number[] = [];
      for (let kill = 0; kill < KILLS; kill += 1) {
        await platform.start('projector', { SCRIPTA_CRASH_AT: `${point}:${3 + 2 * kill}` });
        await platform.gone('projector');
        stood.push((await writer.checkpoints()).get('history')?.position ?? -1);
      }
      silence.abort();
      await talking;
      expect(stood).toEqual(stood.toSorted((a, b) => a - b));
      await platform.start('projector');
      const head = await store.head(['conversation-', 'audience-', 'receipts-', 'user-']);
      await until(async () => {
        const checkpoints = [...(await writer.checkpoints()).values()];
        return checkpoints.every(({ position }) => position >= (head?.position ?? 0));
      });
      await platform.kill('projector', 'SIGTERM');
      expect(await digestsOf(writer)).toEqual(await expected());
      await mongo.close();
    },
  );

  it('is ready when it knows how far behind it is, and leaves in peace', async () => {
    await platform.start('projector');
    const url = `http://127.0.0.1:${platform.port('projector')}`;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const lag = async () => lagSchema.parse(await (await fetch(`${url}/lag`)).json());
    expect(Object.keys(await lag()).toSorted()).toEqual(NAMES.toSorted());
    await until(async () => Object.values(await lag()).every(({ lagMs }) => lagMs === 0));
    for (const { position, head } of Object.values(await lag())) expect(position).toBe(head);
    await platform.kill('projector', 'SIGTERM');
    const mongo = connectMongo(platform.settings['MONGODB_URL'] ?? '');
    const beats = await new MongoViewSwitch(mongo).beats();
    // Those that were killed could not say that they left.
    expect(beats.length).toBeLessThanOrEqual(2 * KILLS);
    await mongo.close();
  });

  it('is rebuilt beside by one command, which shows that old and new are equal', async () => {
    await platform.start('projector');
    const { code, out, error } = await rebuilding(platform.settings, '--json');
    expect({ code, error }).toMatchObject({ code: 0 });
    const { events, views } = rebuiltSchema.parse(JSON.parse(out));
    expect(events).toBeGreaterThan(100);
    expect(views.map(({ view }) => view)).toEqual(NAMES);
    for (const { before, after } of views) expect(after).toEqual(before);
    const lines = await rebuilding(platform.settings, '--view', 'members');
    expect(lines.out).toMatch(/events\/s\nmembers: \d+ documents, equal\n {2}before sha256 /);
    const unknown = await rebuilding(platform.settings, '--view', 'nothing');
    expect(unknown.code).toBe(1);
    expect(unknown.error).toContain('There is no view nothing.');
    await platform.kill('projector', 'SIGTERM');
  });
});
