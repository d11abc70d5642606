import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  applyErasures,
  connectMongo,
  eraseMissing,
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  MongoOperations,
  MongoViews,
  MongoViewSwitch,
  MongoViewWriter,
  readConfig,
  SystemClock,
  SystemRandom,
  SystemTimer,
  TallyKeeper,
} from '#platform';
import { LiveProjection } from './projection.js';
import { ProjectorModule } from './projector.module.js';

/** The batch under way has this long to end after a stop is asked for. */
const STOP_MS_MAX = 8_000;

const config = readConfig(process.env);
const logger = new Logger('projector');
const clock = new SystemClock();
const random = new SystemRandom();
const timer = new SystemTimer();
const keys = await LocalKeys.open(
  { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY },
  clock,
);
const store = new EventStoreDb(config.EVENTSTORE_URL);
const mongo = connectMongo(config.MONGODB_URL);
const codec = new JsonCodec(keys, random);
const ports = {
  store,
  codec,
  writer: new MongoViewWriter(mongo),
  views: new MongoViewSwitch(mongo),
  clock,
  random,
  timer,
};
const projection = new LiveProjection(ports);
const counts = new TallyKeeper({ ...ports, operations: new MongoOperations(mongo) }, 'projector');
const app = await NestFactory.create(ProjectorModule.on(projection), {
  logger: ['error', 'warn'],
});

let isEnding = false;
/** Ends the batch under way, so that the next start repeats nothing, and goes. */
const end = async (code: number): Promise<void> => {
  if (isEnding) return;
  isEnding = true;
  timer.after(STOP_MS_MAX, () => process.exit(1));
  await projection.stop();
  await app.close();
  await counts.stop();
  await Promise.all([store.close(), mongo.close(), keys.close()]);
  process.exit(code);
};

const failed = (error: unknown): void => {
  logger.error(error instanceof Error ? error.stack : String(error));
  // A fresh start begins from the checkpoint, so there is nothing to save.
  process.exit(1);
};
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => void end(0).catch(failed));
process.on('unhandledRejection', failed);
process.on('uncaughtException', failed);

const log = (message: string): void => logger.warn(message);
const erased = await applyErasures({ store, keys, timer, log, isStopped: () => isEnding });
await eraseMissing({ ...ports, reading: new MongoViews(mongo, clock, timer) }, erased, log);
counts.start();
const { finished } = await projection.start();
finished.catch(failed);
await app.listen(config.PROJECTOR_PORT, '127.0.0.1');
process.stdout.write(`ready ${new URL(await app.getUrl()).port}\n`);
