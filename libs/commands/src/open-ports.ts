import { Logger } from '@nestjs/common';
import {
  applyErasures,
  connectMongo,
  EventStoreDb,
  JsonCodec,
  KeysAfterErasures,
  LocalKeys,
  LocalRateLimiter,
  MongoOperations,
  MongoViews,
  MongoViewWriter,
  RedisRateLimiter,
  SystemClock,
  SystemRandom,
  SystemTimer,
  untilViewsErased,
  ViewsAfterErasures,
  type Config,
} from '#platform';
import type { Ports } from './ports.js';

/** The ports of a process, and the way to let go of them when it ends. */
export type OpenPorts = Readonly<{ ports: Ports; close: () => Promise<void> }>;

const forgotten = (message: string): void => new Logger('Erasures').warn(message);
const warn = (message: string): void => new Logger('Limits').warn(message);

/** Opens what the settings name: EventStoreDB, MongoDB, perhaps Redis, and the keys in DATA_DIR. */
export const openPorts = async (config: Config): Promise<OpenPorts> => {
  const [clock, random, timer] = [new SystemClock(), new SystemRandom(), new SystemTimer()];
  const opened = await LocalKeys.open(
    { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY },
    clock,
  );
  const store = new EventStoreDb(config.EVENTSTORE_URL);
  const mongo = connectMongo(config.MONGODB_URL);
  let isClosed = false;
  const applying = { store, keys: opened, timer, log: forgotten, isStopped: () => isClosed };
  const applied = applyErasures(applying);
  const viewsErased = applied.then((erased) =>
    untilViewsErased(new MongoViewWriter(mongo), erased, applying),
  );
  const keys = new KeysAfterErasures(opened, applied, timer);
  const views = new ViewsAfterErasures(new MongoViews(mongo, clock, timer), viewsErased, timer);
  const local = new LocalRateLimiter(clock);
  const shared = config.REDIS_URL
    ? new RedisRateLimiter({ url: config.REDIS_URL, local, log: warn })
    : undefined;
  const ports: Ports = {
    config,
    store,
    codec: new JsonCodec(keys, random),
    keys,
    views,
    operations: new MongoOperations(mongo),
    limiter: shared ?? local,
    clock,
    random,
    timer,
  };
  const close = async () => {
    isClosed = true;
    shared?.close();
    await store.close();
    await views.close();
    await mongo.close();
    await keys.close();
  };
  return { ports, close };
};
