import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Whether this machine has Debian's redis-server; where not, its tests say so and are skipped. */
export const hasRedis = (): boolean => {
  const found = spawnSync('redis-server', ['--version'], { stdio: 'ignore' }).status === 0;
  if (!found)
    process.stderr.write(
      'redis-server is missing (apt-get install redis-server): tests skipped.\n',
    );
  return found;
};

/** A redis-server that keeps nothing. */
export type RunningRedis = Readonly<{ url: string; stop: () => Promise<void> }>;

const freePort = async (): Promise<number> => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === 'object' && address ? address.port : 0;
};

/** Starts a redis-server on a port, or a free one, and waits until it takes connections. */
export const startRedis = async (port?: number): Promise<RunningRedis> => {
  const on = port ?? (await freePort());
  const folder = await mkdtemp(join(tmpdir(), 'scripta-redis-'));
  const child = spawn(
    'redis-server',
    ['--port', String(on), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  for await (const bytes of child.stdout) {
    said += String(bytes);
    if (said.includes('eady to accept connections')) break;
  }
  const stop = async () => {
    if (child.exitCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(folder, { recursive: true, force: true });
  };
  return { url: `redis://127.0.0.1:${on}`, stop };
};
