import { join } from 'node:path';
import { PROGRAMS, STORES, type StoreName } from './programs.js';
import { Supervised } from './supervised.js';

/** One of the embedded servers, alone. */
export type RunningStore = Readonly<{
  url: string;
  server: Supervised;
  stop: () => Promise<void>;
}>;

/** Starts an embedded server alone, on a free port, with its data in a folder within `dataDir`. */
export const startStore = async (name: StoreName, dataDir: string): Promise<RunningStore> => {
  const { folder, url } = STORES[name];
  const { entry, flags } = PROGRAMS[name];
  const server = new Supervised({
    name,
    entry,
    flags,
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
