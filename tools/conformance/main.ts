import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import type { StoreName } from '../start/programs.js';
import { startStore, type RunningStore } from '../start/store.js';

const USAGE = `Runs the contract suites and the whole-system suite against any servers.

  npm run conformance [-- --eventstore URL --mongodb URL]

  --eventstore URL   an EventStoreDB: esdb://127.0.0.1:2113?tls=false
  --mongodb URL      a MongoDB: mongodb://127.0.0.1:27017
                     Its databases views and operations must be empty: the suites use them.

Left out, the embedded server is started and used by its URL in the same way.`;

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The whole system first: the contracts leave behind what no projector would. */
const SUITES = [
  ['test/socket/delivery.spec.ts', 'test/replay'],
  ['libs/platform/src/event-store.contract.spec.ts', 'libs/platform/src/views.contract.spec.ts'],
];

/** A server of somebody's must not lose anything by being tested. */
const mustBeEmpty = async (url: string): Promise<void> => {
  const client = new MongoClient(url);
  try {
    for (const database of ['views', 'operations']) {
      const [first] = await client.db(database).listCollections().toArray();
      if (first)
        throw new Error(
          `${url} holds ${database}.${first.name}; give a MongoDB whose databases views and operations are empty.`,
        );
    }
  } finally {
    await client.close();
  }
};

const VITEST = join(
  dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
);

/** Files run one after another: they share the servers. */
const pass = async (suite: readonly string[], env: NodeJS.ProcessEnv): Promise<boolean> => {
  const args = [VITEST, 'run', '--no-file-parallelism', '--reporter=verbose', ...suite];
  const child = spawn(process.execPath, args, { cwd: ROOT, env, stdio: 'inherit' });
  await once(child, 'exit');
  return child.exitCode === 0;
};

const run = async (): Promise<number> => {
  const { values } = parseArgs({
    options: {
      eventstore: { type: 'string' },
      mongodb: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const dataDir = await mkdtemp(join(tmpdir(), 'scripta-conformance-'));
  const own: RunningStore[] = [];
  const urlOf = async (given: string | undefined, name: StoreName): Promise<string> => {
    if (given !== undefined) return given;
    const store = await startStore(name, dataDir);
    own.push(store);
    return store.url;
  };
  try {
    const eventstore = await urlOf(values.eventstore, 'event-store');
    const mongodb = await urlOf(values.mongodb, 'document-store');
    await mustBeEmpty(mongodb);
    console.log(`EventStoreDB at ${eventstore}\nMongoDB at ${mongodb}`);
    const given = { SCRIPTA_EVENTSTORE_URL: eventstore, SCRIPTA_MONGODB_URL: mongodb };
    let passed = true;
    for (const suite of SUITES)
      passed = (await pass(suite, { ...process.env, ...given })) && passed;
    console.log(passed ? 'These servers conform.' : 'These servers do not conform; see above.');
    return passed ? 0 : 1;
  } finally {
    await Promise.all(own.map((store) => store.stop()));
    await rm(dataDir, { recursive: true, force: true });
  }
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
