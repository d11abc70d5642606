import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  connectMongo,
  MemoryViewsAt,
  MemoryViewStore,
  MemoryViewSwitch,
  MemoryViewWriter,
  MongoViews,
  MongoViewSwitch,
  MongoViewWriter,
  SystemClock,
  SystemTimer,
} from '#platform';
import { viewsContract, type OpenedViews } from '#testing';
import { startDocumentStore } from '../../../embedded/document-store/src/index.js';

const [clock, timer] = [new SystemClock(), new SystemTimer()];

const openMongo = (url: string): OpenedViews => {
  const client = connectMongo(url);
  return {
    views: new MongoViews(client, clock, timer),
    writer: new MongoViewWriter(client),
    switching: new MongoViewSwitch(client),
    end: () => client.close(),
  };
};

viewsContract('memory', () => {
  const store = new MemoryViewStore();
  return Promise.resolve({
    views: new MemoryViewsAt(store, clock, timer),
    writer: new MemoryViewWriter(store),
    switching: new MemoryViewSwitch(store),
    end: () => Promise.resolve(),
  });
});

viewsContract('MongoDB on the embedded server', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'scripta-views-'));
  const server = await startDocumentStore({ dataDir, port: 0 });
  const opened = openMongo(`mongodb://127.0.0.1:${server.port}`);
  const end = async (): Promise<void> => {
    await opened.end();
    await server.close();
    await rm(dataDir, { recursive: true });
  };
  return { ...opened, end };
});

const url = process.env['SCRIPTA_MONGODB_URL'];
if (url !== undefined && url !== '')
  viewsContract(`MongoDB at ${url}`, () => Promise.resolve(openMongo(url)));
