import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  connectMongo,
  digestOf,
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  MemoryViewStore,
  MemoryViewWriter,
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

const digestsOf = async (writer: ViewWriter): Promise<readonly string[]> =>
  Promise.all(PROJECTIONS.map(async ({ name }) => (await digestOf(writer, name)).sha256));

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
});
