import { mkdir, realpath } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { createHash } from 'node:crypto';
import { UnusableLog } from './segments.js';

/** How long the holder of a folder may take to say who it is (ms); only the message needs it. */
const NAME_DELAY_MS_MAX = 1_000;

const holderOf = (socketName: string): Promise<string> =>
  new Promise((resolve) => {
    let told = '';
    const socket = connect(socketName);
    const end = (): void => {
      socket.destroy();
      resolve(/^\d+$/u.test(told) ? `process ${told}` : 'another process');
    };
    socket.setTimeout(NAME_DELAY_MS_MAX, end);
    socket.on('data', (data) => {
      told += data.toString('latin1');
    });
    socket.on('error', end);
    socket.on('end', end);
  });

/**
 * Holds a data folder for this process, by listening on an abstract socket named after it. The
 * kernel lets go of it however the process ends, so nothing is ever left to clean up.
 */
export const holdFolder = async (folder: string): Promise<() => Promise<void>> => {
  await mkdir(folder, { recursive: true });
  const hash = createHash('sha256').update(await realpath(folder));
  const socketName = `\0scripta-log-${hash.digest('hex').slice(0, 32)}`;
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(String(process.pid));
  });
  const failure = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
    server.once('error', resolve);
    server.listen(socketName, () => resolve(undefined));
  });
  if (failure?.code === 'EADDRINUSE')
    throw new UnusableLog(
      `${folder} is held by ${await holderOf(socketName)}. Stop that one, or name another folder.`,
    );
  if (failure) throw failure;
  server.unref();
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
    });
};
