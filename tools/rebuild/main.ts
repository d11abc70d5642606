import { parseArgs } from 'node:util';
import {
  connectMongo,
  destroyErased,
  erasuresIn,
  EventStoreDb,
  JsonCodec,
  LocalKeys,
  MongoViewSwitch,
  MongoViewWriter,
  readConfig,
  SystemClock,
  SystemRandom,
  SystemTimer,
  type Config,
} from '#platform';
import type { RebuildPorts } from './following.js';
import { mend } from './mend.js';
import { showProgress } from './progress.js';
import { rebuild, type Rebuilt } from './rebuild.js';

const USAGE = `npm run rebuild [-- OPTIONS]
Builds read models again from the log, beside the running platform, and puts them in place.
  --view NAME      only this view (again for more)
  --stream NAME    lets a parked stream go on, instead of rebuilding whole views
  --no-compare     switches without reading old and new once more (a shorter stand-still)
  --json           the result as one line of JSON
EVENTSTORE_URL, MONGODB_URL and DATA_DIR say which platform, as for npm start.`;

const open = async (config: Config) => {
  const [clock, random, timer] = [new SystemClock(), new SystemRandom(), new SystemTimer()];
  const folder = { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY };
  const keys = await LocalKeys.open(folder, clock);
  const store = new EventStoreDb(config.EVENTSTORE_URL);
  await destroyErased(keys, await erasuresIn(store));
  const mongo = connectMongo(config.MONGODB_URL);
  const ports: RebuildPorts = {
    store,
    codec: new JsonCodec(keys, random),
    writer: new MongoViewWriter(mongo),
    views: new MongoViewSwitch(mongo),
    clock,
    random,
    timer,
    log: (message) => console.error(message),
  };
  const close = async (): Promise<void> => {
    await Promise.all([store.close(), mongo.close(), keys.close()]);
  };
  return { ports, close };
};

const tell = ({ events, seconds, views }: Rebuilt): void => {
  const rate = Math.round(events / Math.max(seconds, 0.001));
  console.log(`${events} events in ${seconds.toFixed(1)} s: ${rate} events/s`);
  for (const { view, before, after, parked } of views) {
    if (!before || !after) console.log(`${view}: replaced, not compared with what was there`);
    else {
      const verdict = before.sha256 === after.sha256 ? 'equal' : 'DIFFERENT: now as the log has it';
      console.log(`${view}: ${after.documents} documents, ${verdict}`);
      console.log(`  before sha256 ${before.sha256}\n  after  sha256 ${after.sha256}`);
    }
    for (const stream of parked) console.log(`  PARKED ${stream}: it could not be folded`);
  }
};

const run = async (): Promise<void> => {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      view: { type: 'string', multiple: true },
      stream: { type: 'string' },
      compare: { type: 'boolean', default: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return;
  }
  const { ports, close } = await open(readConfig(process.env));
  const progress = showProgress(values.json ? process.stderr : process.stdout);
  const { onProgress } = progress;
  const names = values.view === undefined ? {} : { names: values.view };
  try {
    if (values.stream !== undefined) {
      const mended = await mend(ports, values.stream, { ...names, onProgress });
      progress.end();
      console.log(values.json ? JSON.stringify(mended) : `${values.stream} goes on:`, mended);
      return;
    }
    const rebuilt = await rebuild(ports, { ...names, compare: values.compare, onProgress });
    progress.end();
    if (values.json) console.log(JSON.stringify(rebuilt));
    else tell(rebuilt);
  } finally {
    progress.end();
    await close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
