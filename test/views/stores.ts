import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MongoClient } from 'mongodb';
import {
  connectMongo,
  EventStoreDb,
  JsonCodec,
  MongoViews,
  MongoViewSwitch,
  MongoViewWriter,
  PROJECTIONS,
  ReadModelRunner,
  SubscriptionRunner,
  SystemClock,
  SystemRandom,
  SystemTimer,
  digestOf,
  type Views,
} from '#platform';
import { MemoryKeys, until } from '#testing';
import { startDocumentStore } from '../../embedded/document-store/src/index.js';
import { startEventStore } from '../../embedded/event-store/src/index.js';
import type { RebuildPorts } from '../../tools/rebuild/following.js';

/** A log and a database behind their real drivers, and what the log says so far. */
export type Stores = Readonly<{
  ports: RebuildPorts;
  views: Views;
  mongo: MongoClient;
  /** What was logged: parked streams, outages. */
  said: string[];
  end: () => Promise<void>;
}>;

/** Starts both embedded servers in this process and opens the ports on them. */
export const openStores = async (): Promise<Stores> => {
  const folder = await mkdtemp(join(tmpdir(), 'scripta-views-'));
  const log = await startEventStore({ dataDir: join(folder, 'log') });
  const documents = await startDocumentStore({ dataDir: join(folder, 'documents'), port: 0 });
  const [clock, random, timer] = [new SystemClock(), new SystemRandom(), new SystemTimer()];
  const store = new EventStoreDb(`esdb://127.0.0.1:${log.port}?tls=false`);
  const mongo = connectMongo(`mongodb://127.0.0.1:${documents.port}`);
  const said: string[] = [];
  const ports: RebuildPorts = {
    store,
    codec: new JsonCodec(new MemoryKeys(), random),
    writer: new MongoViewWriter(mongo),
    views: new MongoViewSwitch(mongo),
    clock,
    random,
    timer,
    log: (message) => said.push(message),
  };
  const end = async (): Promise<void> => {
    await Promise.all([store.close(), mongo.close()]);
    await Promise.all([log.close(), documents.close()]);
    await rm(folder, { recursive: true });
  };
  return { ports, views: new MongoViews(mongo, clock, timer), mongo, said, end };
};

/** Follows the log into the views until they hold all of it. */
export const projectAll = async ({ ports }: Stores, batchMax?: number): Promise<void> => {
  const options = batchMax === undefined ? {} : { batchMax };
  const runner = new ReadModelRunner(PROJECTIONS, ports, options);
  const from = await runner.start();
  const head = await ports.store.head(runner.prefixes);
  const { consumer, prefixes } = runner;
  const run = await new SubscriptionRunner(ports).run({ prefixes, from, consumer, ...options });
  run.finished.catch((error: unknown) => ports.log(String(error)));
  await until(() => runner.position >= (head?.position ?? -1));
  await run.stop();
  await runner.settled();
};

/** The digest of every view, by name. */
export const digestsOf = async ({ ports }: Stores): Promise<Readonly<Record<string, string>>> => {
  const digests: Record<string, string> = {};
  for (const { name } of PROJECTIONS) digests[name] = (await digestOf(ports.writer, name)).sha256;
  return digests;
};
