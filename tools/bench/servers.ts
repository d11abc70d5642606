import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client';
import { MongoClient } from 'mongodb';
import { VIEWS } from '#domain';
import type { Platform } from '../start/platform.js';

type Figures = Readonly<Record<string, number>>;

/** Appends under way at once, as in the figures that these are compared with. */
const IN_FLIGHT = 256;
const BODY = 'x'.repeat(200);
const BULK = 500;

const perSecond = (count: number, began: number): number =>
  Math.round((count * 1_000) / (performance.now() - began));

const event = () => jsonEvent({ type: 'BenchEvent', data: { text: BODY } });

const atOnce = async (lanes: number, count: number, call: (n: number) => Promise<unknown>) => {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await call(next++);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
};

/** Durable appends and catch-up through the official client alone. */
export const benchLog = async ({ urls }: Platform, count: number): Promise<Figures> => {
  const client = EventStoreDBClient.connectionString(urls.eventstore);
  const run = randomUUID().slice(0, 8);
  let began = performance.now();
  await atOnce(IN_FLIGHT, count, (n) => client.appendToStream(`bench${run}-${n % 200}`, event()));
  const single = perSecond(count, began);
  began = performance.now();
  await atOnce(16, count / 50, (n) =>
    client.appendToStream(`bench${run}b-${n % 16}`, Array.from({ length: 50 }, event)),
  );
  const inFifties = perSecond(count, began);
  began = performance.now();
  let read = 0;
  for await (const { event: found } of client.readAll()) if (found) read += 1;
  const catchUp = perSecond(read, began);
  await client.dispose();
  return { appendsPerS: single, eventsInAppendsOf50PerS: inFifties, catchUpEventsPerS: catchUp };
};

/** Upserts into a collection with history's own indexes, and indexed finds, by the driver alone. */
export const benchStore = async ({ urls }: Platform, count: number): Promise<Figures> => {
  const client = new MongoClient(urls.mongodb);
  const history = client.db('bench').collection<{ _id: string }>(`history${Date.now()}`);
  await history.createIndexes(VIEWS.history.indexes.map(({ key }) => ({ key: { ...key } })));
  const conversations = Array.from({ length: 50 }, () => randomUUID());
  let began = performance.now();
  for (let done = 0; done < count; done += BULK) {
    const writes = Array.from({ length: BULK }, (_, at) => {
      const n = done + at;
      const _id = randomUUID();
      const conversationId = conversations[n % 50];
      const document = { _id, conversationId, seq: n, position: n * 900, data: { text: BODY } };
      return { replaceOne: { filter: { _id }, replacement: document, upsert: true } };
    });
    await history.bulkWrite(writes, { ordered: false });
  }
  const upserts = perSecond(count, began);
  began = performance.now();
  const finds = Math.ceil(count / 20);
  await atOnce(8, finds, (n) =>
    history
      .find({ conversationId: conversations[n % 50], seq: { $lt: count } })
      .sort({ seq: -1 })
      .limit(50)
      .toArray(),
  );
  const found = perSecond(finds, began);
  await history.drop();
  await client.close();
  return { upsertsPerS: upserts, findsOf50PerS: found };
};

/** One durable write of this disk, the floor of every acknowledgement. */
export const benchDisk = async ({ dataDir }: Platform, count: number): Promise<Figures> => {
  const file = await open(join(dataDir, 'bench-disk'), 'w');
  const bytes = Buffer.alloc(4_096, 1);
  const began = performance.now();
  for (let at = 0; at < count; at++) {
    await file.write(bytes, 0, bytes.length, at * bytes.length);
    await file.datasync();
  }
  const took = (performance.now() - began) / count;
  await file.close();
  return { fdatasyncMs: Number(took.toFixed(3)) };
};
