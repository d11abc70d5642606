import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { openPorts } from '#commands';
import { connectMongo, MongoViewSwitch, MongoViewWriter, readConfig, type Parked } from '#platform';
import { showProgress } from '../rebuild/progress.js';
import { parkedOf, replay, type ParkedPorts } from './parked.js';

const USAGE = `npm run parked -- COMMAND [--json]
Streams that wait because one of their events could not be read, folded or delivered.
  list             all of them, by reader (a view, or realtime)
  show STREAM      everything that is known of one, with the error's stack
  replay STREAM    lets it go on, once its events can be read
  replay --all     lets all go on that can
EVENTSTORE_URL, MONGODB_URL and DATA_DIR say which platform, as for npm start.
Ends with code 1 where a stream still cannot go on.`;

type Values = Readonly<{ all: boolean; json: boolean }>;

const line = ({ view, stream, revision, position, type, error, at, attempts, waiting }: Parked) =>
  `${stream}@${revision} (position ${position}) ${type}: ${view} waits since ${at}, ` +
  `${waiting} later events with it, tried ${attempts} times\n  ${error}`;

const list = async (ports: ParkedPorts, { json }: Values): Promise<void> => {
  const found = await parkedOf(ports);
  if (json) console.log(JSON.stringify(found));
  else if (found.length === 0) console.log('Nothing is parked.');
  else for (const one of found) console.log(line(one));
};

const show = async (ports: ParkedPorts, stream: string, { json }: Values): Promise<void> => {
  const found = await parkedOf(ports, stream);
  if (found.length === 0) throw new Error(`${stream || 'It'} is not parked.`);
  if (json) return console.log(JSON.stringify(found));
  for (const one of found)
    console.log(`${line(one)}\n  event ${one.eventId}, last tried ${one.lastAt}\n${one.stack}`);
};

const replayAll = async (
  ports: ParkedPorts,
  streams: readonly string[],
  { json }: Values,
): Promise<void> => {
  const progress = showProgress(process.stderr);
  const results: object[] = [];
  for (const stream of streams) {
    try {
      results.push(await replay(ports, stream, progress.onProgress));
    } catch (error) {
      process.exitCode = 1;
      results.push({ stream, error: error instanceof Error ? error.message : String(error) });
    }
  }
  progress.end();
  if (json) console.log(JSON.stringify(results));
  else for (const result of results) console.log(result);
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command = '', stream = ''] = positionals;
  const commands: Readonly<Record<string, (ports: ParkedPorts) => Promise<void>>> = {
    list: (ports) => list(ports, values),
    show: (ports) => show(ports, stream, values),
    replay: async (ports) => {
      const parked = values.all ? (await parkedOf(ports)).map((one) => one.stream) : [stream];
      await replayAll(ports, [...new Set(parked)], values);
    },
  };
  const chosen = commands[command];
  if (values.help || !chosen) {
    console.log(USAGE);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const { ports, close } = await openPorts(readConfig(process.env));
  const mongo = connectMongo(ports.config.MONGODB_URL);
  try {
    await chosen({
      ...ports,
      writer: new MongoViewWriter(mongo),
      views: new MongoViewSwitch(mongo),
      log: (message) => console.error(message),
    });
  } finally {
    await mongo.close();
    await close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
