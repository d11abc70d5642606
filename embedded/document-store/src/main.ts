import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startDocumentStore } from './index.js';

const USAGE = 'usage: document-store --data-dir DIR [--port 27017] [--ephemeral]';

const { values } = parseArgs({
  options: {
    'data-dir': { type: 'string' },
    port: { type: 'string', default: '27017' },
    ephemeral: { type: 'boolean', default: false },
  },
});

/** An ephemeral store lives in a folder of its own that goes when the process ends. */
const folder = values.ephemeral
  ? mkdtempSync(join(values['data-dir'] ?? tmpdir(), 'document-store-'))
  : values['data-dir'];

if (folder === undefined) {
  console.error(USAGE);
  process.exit(2);
}

try {
  const store = await startDocumentStore({ dataDir: folder, port: Number(values.port) });
  const stop = (): void => {
    store
      .close()
      .then(() => {
        if (values.ephemeral) rmSync(folder, { recursive: true, force: true });
        process.exit(0);
      })
      .catch((error: unknown) => {
        console.error(error);
        process.exit(1);
      });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  console.log(`ready ${store.port}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
