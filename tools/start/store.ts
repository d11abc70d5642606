import { join } from 'node:path';
import { builtPath } from './built.js';
import { Supervised } from './supervised.js';

/** The embedded servers: where they are built, what folder they keep, how they are addressed. */
export const STORES = {
  'event-store': {
    folder: 'log',
    entry: 'embedded/event-store/src/main.js',
    url: (port: number) => `esdb://127.0.0.1:${port}?tls=false`,
  },
  'document-store': {
    folder: 'views',
    entry: 'embedded/document-store/src/main.js',
    url: (port: number) => `mongodb://127.0.0.1:${port}`,
  },
} as const;

/** One of the embedded servers, alone. */
export type RunningStore = Readonly<{
  url: string;
  server: Supervised;
  stop: () => Promise<void>;
}>;

/** Starts an embedded server alone, on a free port, with its data in a folder within `dataDir`. */
export const startStore = async (
  name: keyof typeof STORES,
  dataDir: string,
): Promise<RunningStore> => {
  const { folder, entry, url } = STORES[name];
  const server = new Supervised({
    name,
    entry: builtPath(entry),
    port: 0,
    listening: (port) => ({
      args: ['--data-dir', join(dataDir, folder), '--port', String(port)],
      env: process.env,
    }),
    print: (line) => process.stderr.write(`${name} | ${line}\n`),
  });
  await server.start();
  return { url: url(server.port), server, stop: () => server.stop() };
};
