import { randomUUID } from 'node:crypto';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent, START } from '@eventstore/db-client';
import { MongoClient } from 'mongodb';
import { history } from '#domain';
import { indexSpecs } from '#platform';
import type { StoreName } from '../start/programs.js';
import { startStore } from '../start/store.js';
import { percentilesMs, rounded, type Figures, type Measured, type Scale } from './figures.js';
import { watch, type Usage } from './machine.js';

/** Appends under way at once of one client process, as in the figures that these stand beside. */
const APPENDS_AT_ONCE = 256;
/** Appends of 50 under way at once. */
const BATCHES_AT_ONCE = 16;
const EVENTS_PER_BATCH = 50;
/** Documents of one bulk, and bulks under way at once, as the projector writes. */
const DOCUMENTS_PER_BULK = 500;
const BULKS_AT_ONCE = 2;
const FINDS_AT_ONCE = 16;
/** Facts of one page of history. */
const PAGE = 50;
const CONVERSATIONS = 100;
/** What one sync writes: a page of the file system. */
const DISK_BYTES = 4_096;

/** A sealed message as it stands in the log: near 700 bytes with what the log adds. */
const data = () => ({
  v: 1,
  by: randomUUID(),
  at: new Date().toISOString(),
  origin: { command: randomUUID(), device: randomUUID(), n: 1, digest: 'd'.repeat(32) },
  conversationId: randomUUID(),
  messageId: randomUUID(),
  number: 1,
  sealed: { subject: randomUUID(), commit: 'c'.repeat(44), text: 't'.repeat(200) },
});

const message = () => jsonEvent({ type: 'MessageSent', data: data() });

/** Does something `count` times, a bounded number at once; gives what each took (ms). */
const times = async (
  count: number,
  atOnce: number,
  call: (lane: number, at: number) => Promise<void>,
): Promise<readonly number[]> => {
  const took: number[] = [];
  let next = 0;
  const work = async (_: unknown, lane: number): Promise<void> => {
    while (next < count) {
      const at = next++;
      const beganMs = performance.now();
      await call(lane, at);
      took.push(performance.now() - beganMs);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return took;
};

/** A server that is measured, and who measures it. */
type Stand = Readonly<{ url: string; watching: () => () => Usage }>;

/** Measures against a server of its own, or the one that the environment names. */
const on = async (
  name: StoreName,
  measure: (stand: Stand) => Promise<Figures>,
): Promise<Measured> => {
  const given = process.env[name === 'event-store' ? 'EVENTSTORE_URL' : 'MONGODB_URL'];
  if (given !== undefined) {
    const figures = await measure({ url: given, watching: () => watch({ client: process.pid }) });
    return { figures, faults: [] };
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'scripta-bench-'));
  const store = await startStore(name, dataDir);
  const pids = { server: store.server.pid ?? 0, client: process.pid };
  try {
    const figures = await measure({ url: store.url, watching: () => watch(pids) });
    return { figures, faults: store.server.restarts > 0 ? ['the server was started again'] : [] };
  } finally {
    await store.stop();
    await rm(dataDir, { recursive: true, force: true });
  }
};

const besides = ({ seconds, cpu, others, load }: Usage): Figures => ({
  serverCores: rounded((cpu['server'] ?? 0) / seconds),
  clientCores: rounded((cpu['client'] ?? 0) / seconds),
  othersCores: rounded(others / seconds),
  load1Min: rounded(load),
});

type Lane = { stream: string; revision: bigint | 'no_stream' };

/** Durable appends, each to its stream at the revision that it expects. */
const appends = async (
  client: EventStoreDBClient,
  { count, atOnce, size }: Readonly<{ count: number; atOnce: number; size: number }>,
): Promise<readonly number[]> => {
  const lanes: Lane[] = Array.from({ length: atOnce }, () => ({
    stream: `conversation-${randomUUID()}`,
    revision: 'no_stream',
  }));
  return times(count, atOnce, async (at) => {
    const lane = lanes[at];
    if (!lane) return;
    const events = Array.from({ length: size }, message);
    const options = { expectedRevision: lane.revision };
    const { nextExpectedRevision } = await client.appendToStream(lane.stream, events, options);
    lane.revision = nextExpectedRevision;
  });
};

/** Appends through the client alone: of one event, or of 50. */
export const benchAppends = (size: 1 | 50, { isQuick }: Scale): Promise<Measured> =>
  on('event-store', async ({ url, watching }) => {
    const client = EventStoreDBClient.connectionString(url);
    const atOnce = size === 1 ? APPENDS_AT_ONCE : BATCHES_AT_ONCE;
    const events = isQuick ? 5_000 : 100_000;
    await appends(client, { count: events / size / 10, atOnce, size });
    const end = watching();
    const took = await appends(client, { count: events / size, atOnce, size });
    const usage = end();
    await client.dispose();
    const eventsPerS = rounded(events / usage.seconds);
    return { eventsPerS, ...percentilesMs('append', took), ...besides(usage) };
  });

/** Catch-up from `$all` by a subscription of the client alone. */
export const benchCatchUp = ({ isQuick }: Scale): Promise<Measured> =>
  on('event-store', async ({ url, watching }) => {
    const client = EventStoreDBClient.connectionString(url);
    const count = isQuick ? 10_000 : 200_000;
    const size = EVENTS_PER_BATCH;
    await appends(client, { count: count / size, atOnce: BATCHES_AT_ONCE, size });
    const end = watching();
    let events = 0;
    const subscription = client.subscribeToAll({ fromPosition: START });
    for await (const { event } of subscription) {
      if (event?.type === 'MessageSent') events += 1;
      if (events === count) break;
    }
    const usage = end();
    await client.dispose();
    return { eventsPerS: rounded(count / usage.seconds), ...besides(usage) };
  });

/** A document of the history view, as the fold makes it. */
const entry = (conversations: readonly string[], at: number) => ({
  _id: randomUUID(),
  type: 'message.sent',
  conversationId: conversations[at % conversations.length] ?? '',
  seq: Math.floor(at / conversations.length) + 1,
  position: at * 900,
  at: new Date().toISOString(),
  actor: randomUUID(),
  data: { messageId: randomUUID(), number: at, text: 't'.repeat(100) },
  correlationId: randomUUID(),
  causationId: randomUUID(),
  clientId: randomUUID(),
  origin: { command: randomUUID(), device: randomUUID(), n: at, digest: 'd'.repeat(32) },
});

const filled = async (client: MongoClient, count: number) => {
  const documents = client.db('bench').collection<{ _id: string }>('history');
  await documents.createIndexes(indexSpecs(history.indexes));
  const conversations = Array.from({ length: CONVERSATIONS }, () => randomUUID());
  const bulk = async (at: number): Promise<void> => {
    const operations = Array.from({ length: DOCUMENTS_PER_BULK }, (_, index) => {
      const replacement = entry(conversations, at * DOCUMENTS_PER_BULK + index);
      const { _id, position } = replacement;
      // As the projector writes one that may be there: only over an older one.
      const filter = { _id, position: { $lt: position } };
      return { replaceOne: { filter, replacement, upsert: true } };
    });
    await documents.bulkWrite(operations, { ordered: false });
  };
  const took = await times(count / DOCUMENTS_PER_BULK, BULKS_AT_ONCE, (_, at) => bulk(at));
  return { documents, conversations, took };
};

/** Upserts into the history collection with its own indexes, by the driver alone. */
export const benchUpserts = ({ isQuick }: Scale): Promise<Measured> =>
  on('document-store', async ({ url, watching }) => {
    const client = new MongoClient(url);
    const count = isQuick ? 5_000 : 100_000;
    const end = watching();
    const { documents, took } = await filled(client, count);
    const usage = end();
    await documents.drop();
    await client.close();
    const upsertsPerS = rounded(count / usage.seconds);
    return { upsertsPerS, ...percentilesMs('bulk', took), ...besides(usage) };
  });

/** Pages of history by its index, by the driver alone. */
export const benchFinds = ({ isQuick }: Scale): Promise<Measured> =>
  on('document-store', async ({ url, watching }) => {
    const client = new MongoClient(url);
    const { documents, conversations } = await filled(client, isQuick ? 10_000 : 100_000);
    const count = isQuick ? 200 : 10_000;
    const end = watching();
    let found = 0;
    const took = await times(count, FINDS_AT_ONCE, async (_, at) => {
      const conversationId = conversations[at % CONVERSATIONS];
      const filter = { conversationId, seq: { $lt: 1_000_000 - (at % PAGE) } };
      const page = await documents.find(filter).sort({ seq: -1 }).limit(PAGE).toArray();
      found += page.length;
    });
    const usage = end();
    await documents.drop();
    await client.close();
    const findsPerS = rounded(count / usage.seconds);
    const documentsPerS = rounded(found / usage.seconds);
    return { findsPerS, documentsPerS, ...percentilesMs('find', took), ...besides(usage) };
  });

/** One durable write after another: the floor under every acknowledgement. */
export const benchDisk = async ({ isQuick }: Scale): Promise<Measured> => {
  const folder = await mkdtemp(join(tmpdir(), 'scripta-bench-'));
  const file = await open(join(folder, 'disk'), 'w');
  const bytes = Buffer.alloc(DISK_BYTES, 1);
  const end = watch({ client: process.pid });
  const took = await times(isQuick ? 50 : 1_000, 1, async () => {
    await file.write(bytes);
    await file.datasync();
  });
  const usage = end();
  await file.close();
  await rm(folder, { recursive: true });
  return { figures: { ...percentilesMs('fdatasync', took), ...besides(usage) }, faults: [] };
};
