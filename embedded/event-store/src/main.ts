import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { scrub } from './scrub.js';
import { holdFolder } from './folder.js';
import { isIndexFailure } from './index-store.js';
import { startEventStore, type RunningEventStore } from './server.js';

const USAGE = `Usage:
  event-store (--data-dir DIR | --ephemeral) [--port 2113] [--http-port N] [--segment-mib 64]
  event-store scrub --data-dir DIR`;

const portOf = (text: string, name: string): number => {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`--${name} takes a number from 0 to 65535, not ${text}.\n${USAGE}`);
};

/** Files larger than this are read at a stretch when they are damaged. */
const SEGMENT_MIB_MAX = 1_024;

const segmentBytesOf = (text: string): number => {
  const mib = Number(text);
  if (mib > 0 && mib <= SEGMENT_MIB_MAX) return mib * 1024 * 1024;
  throw new Error(`--segment-mib takes a number up to ${SEGMENT_MIB_MAX}, not ${text}.\n${USAGE}`);
};

const runScrub = async (folder: string): Promise<void> => {
  const release = await holdFolder(folder);
  let told = 0;
  const { events, bytes, damage } = await scrub(folder, (checked, total) => {
    const percent = total === 0 ? 100 : Math.floor((100 * checked) / total);
    if (percent < told + 5) return;
    told = percent;
    console.log(`${percent} % of ${total} bytes`);
  });
  await release();
  for (const place of damage) console.log(`damaged: ${place}`);
  console.log(`${events} events, ${bytes} bytes sound, ${damage.length} damaged places`);
  process.exitCode = damage.length > 0 ? 1 : 0;
};

const end = async (server: RunningEventStore, ephemeral: string | undefined): Promise<void> => {
  await server.close();
  if (ephemeral !== undefined) await rm(ephemeral, { recursive: true, force: true });
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'data-dir': { type: 'string' },
      port: { type: 'string', default: '2113' },
      'http-port': { type: 'string' },
      'segment-mib': { type: 'string' },
      ephemeral: { type: 'boolean', default: false },
    },
  });
  if (values.ephemeral && values['data-dir'] !== undefined)
    throw new Error(`--ephemeral keeps nothing: leave out --data-dir.\n${USAGE}`);
  const ephemeral = values.ephemeral ? await mkdtemp(join(tmpdir(), 'scripta-log-')) : undefined;
  const dataDir = values['data-dir'] ?? ephemeral;
  if (dataDir === undefined) throw new Error(`--data-dir is missing.\n${USAGE}`);
  if (positionals[0] === 'scrub') {
    await runScrub(dataDir);
    return;
  }
  const httpPort = values['http-port'];
  const segmentMib = values['segment-mib'];
  const server = await startEventStore({
    dataDir,
    port: portOf(values.port, 'port'),
    ...(httpPort === undefined ? {} : { httpPort: portOf(httpPort, 'http-port') }),
    ...(segmentMib === undefined ? {} : { segmentBytes: segmentBytesOf(segmentMib) }),
  });
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    end(server, ephemeral).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('unhandledRejection', (reason) => {
    if (!isIndexFailure(reason)) throw reason;
  });
  // A limit on file sizes is answered like a full disk, by an error to whoever appends.
  process.on('SIGXFSZ', () => undefined);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  console.log(`ready ${server.port}`);
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
