import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EventStoreDb, MemoryEventStore } from '#platform';
import { eventStoreContract } from '#testing';
import { startEventStore } from '../../../embedded/event-store/src/index.js';

eventStoreContract('MemoryEventStore', () => {
  const store = new MemoryEventStore();
  return Promise.resolve({ store, end: () => store.close() });
});

eventStoreContract('EventStoreDb on the embedded server', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'scripta-log-'));
  const server = await startEventStore({ dataDir });
  const store = new EventStoreDb(`esdb://127.0.0.1:${server.port}?tls=false`);
  const end = async (): Promise<void> => {
    await store.close();
    await server.close();
    await rm(dataDir, { recursive: true });
  };
  return { store, end };
});

const url = process.env['SCRIPTA_EVENTSTORE_URL'];
if (url !== undefined && url !== '') {
  eventStoreContract(`EventStoreDb at ${url}`, () => {
    const store = new EventStoreDb(url);
    return Promise.resolve({ store, end: () => store.close() });
  });
}
