import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { STORES } from '../start/programs.js';
import { onScene } from './outcome.js';
import { eventually, type Scene } from './scene.js';

/** When nothing was acknowledged for so long (ms), the disk is full for the log, too. */
const STILL_MS = 2_000;
/** How long the disk stays full after that (ms). */
const FULL_MS = 3_000;
const BLOCK_BYTES = 4_096;

/** Writes until there is no room left; gives how many bytes went in. */
const fill = async (path: string): Promise<number> => {
  const file = await open(path, 'w');
  const block = Buffer.alloc(BLOCK_BYTES, 1);
  let bytes = 0;
  try {
    for (;;) bytes += (await file.write(block)).bytesWritten;
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
    return bytes;
  } finally {
    await file.close();
  }
};

const stillness = async ({ ledger }: Scene): Promise<void> => {
  let [last, sinceMs] = [ledger.acknowledged, performance.now()];
  await eventually('nothing is acknowledged any more', () => {
    if (ledger.acknowledged !== last) [last, sinceMs] = [ledger.acknowledged, performance.now()];
    return performance.now() - sinceMs > STILL_MS;
  });
};

const [dataDir = '', seed = '1'] = process.argv.slice(2);

/** The log's folder is a small disk of its own here; somebody fills it, and later makes room. */
const outcome = await onScene(
  Number(seed),
  async (scene) => {
    const ballast = join(dataDir, STORES['event-store'].folder, 'ballast');
    const before = scene.restarts();
    await fill(ballast);
    await stillness(scene);
    const acknowledged = scene.ledger.acknowledged;
    await sleep(FULL_MS);
    if (scene.ledger.acknowledged > acknowledged) throw new Error('The disk was not full.');
    const [reader] = scene.players;
    const page = await reader?.client.history(scene.conversations[0] ?? '', { limit: 10 });
    if (!page || page.items.length === 0) throw new Error('Nothing can be read meanwhile.');
    await rm(ballast);
    const recoveryMs = await scene.recovery();
    const restarts = scene.restarts() - before;
    const note = `a tmpfs of 64 MiB; nothing acknowledged, history read; ${restarts} restarts`;
    return { recoveryMs, note };
  },
  { dataDir },
);
console.log(JSON.stringify(outcome));
process.exit(0);
