import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { UnusableLog } from './segments.js';

/**
 * Holds a data folder for this process, by listening on an abstract socket named after it. The
 * kernel lets go of it however the process ends, so nothing is ever left to clean up.
 */
export const holdFolder = async (folder: string): Promise<() => Promise<void>> => {
  await mkdir(folder, { recursive: true });
  const name = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const held = `${folder} is held by another process. Stop that one, or name another folder.`;
      reject(cause.code === 'EADDRINUSE' ? new UnusableLog(held, { cause }) : cause);
    });
    server.listen(`\0scripta-log-${name}`, resolve);
  });
  server.unref();
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
    });
};
