import { Logger } from '@nestjs/common';
import {
  connectMongo,
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  LocalRateLimiter,
  MongoOperations,
  MongoViews,
  RedisRateLimiter,
  SystemClock,
  SystemRandom,
  SystemTimer,
  type Config,
} from '#platform';
import type { Ports } from './ports.js';

/** The ports of a process, and the way to let go of them when it ends. */
export type OpenPorts = Readonly<{ ports: Ports; close: () => Promise<void> }>;

const warn = (message: string): void => new Logger('Limits').warn(message);

/** Opens what the settings name: EventStoreDB, MongoDB, perhaps Redis, and the keys in DATA_DIR. */
export const openPorts = async (config: Config): Promise<OpenPorts> => {
  const [clock, random, timer] = [new SystemClock(), new SystemRandom(), new SystemTimer()];
  const keys = await LocalKeys.open(
    { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY },
    clock,
  );
  const store = new EventStoreDb(config.EVENTSTORE_URL);
  const mongo = connectMongo(config.MONGODB_URL);
  const views = new MongoViews(mongo, clock, timer);
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
    shared?.close();
    await store.close();
    await views.close();
    await mongo.close();
    await keys.close();
  };
  return { ports, close };
};
