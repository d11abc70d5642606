import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FileStorage } from './file-storage.js';

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'scripta-storage-'));
  path = join(folder, 'client.jsonl');
});

afterEach(() => rm(folder, { recursive: true }));

/** The id of a process that has lived and is gone. */
const deadPid = async (): Promise<number> => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
};

it('[D22] is used by one client at a time, and by the next once that lets go', async () => {
  const [one, other] = [new FileStorage(path), new FileStorage(path)];
  expect(await one.claim()).toBe(true);
  expect(await other.claim()).toBe(false);
  await one.release();
  expect(await other.claim()).toBe(true);
  await other.close();
});

it('[D22] is refused while another process has it, and taken over from one that died', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
  await writeFile(`${path}.lock`, String(child.pid));
  const storage = new FileStorage(path);
  expect(await storage.claim()).toBe(false);
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
  expect(await storage.claim()).toBe(true);
  await storage.close();
});

/** What a process of its own, from the last build, says of its claim; it ends when it is told to. */
const claimant = () => {
  const module = new URL('../../../dist/libs/client/src/file-storage.js', import.meta.url);
  const program = `const { FileStorage } = await import(${JSON.stringify(module.href)});
    process.stdout.write(String(await new FileStorage(${JSON.stringify(path)}).claim()));
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
  return { child, said: once(child.stdout, 'data').then(([bytes]) => String(bytes)) };
};

it('[D22] goes to one of many that find what a dead process has left', async () => {
  for (const left of [String(await deadPid()), 'torn']) {
    await writeFile(`${path}.lock`, left);
    const many = Array.from({ length: 5 }, claimant);
    const said = await Promise.all(many.map((one) => one.said));
    expect(said.filter((claimed) => claimed === 'true')).toHaveLength(1);
    await Promise.all(
      many.map(({ child }) => {
        const gone = once(child, 'exit');
        child.kill();
        return gone;
      }),
    );
  }
});

it('reads anew what another has written since', async () => {
  const [one, other] = [new FileStorage(path), new FileStorage(path)];
  await one.load();
  one.put('a', 1);
  one.put('b', 1);
  await one.close();
  await other.load();
  other.put('a', undefined);
  other.put('b', 2);
  await other.close();
  expect(await one.load()).toEqual(new Map([['b', 2]]));
  await one.close();
});

it('[D14] keeps in memory what the disk refuses, says so, and writes it once it can', async () => {
  const inside = join(folder, 'inside');
  const storage = new FileStorage(join(inside, 'client.jsonl'));
  storage.put('outbox:1', 'first');
  await expect(storage.flush()).rejects.toThrow(/does not keep/u);
  storage.put('outbox:2', 'second');
  await expect(storage.flush()).rejects.toThrow(/does not keep/u);
  await mkdir(inside);
  await storage.flush();
  storage.put('outbox:3', 'third');
  await storage.close();
  const kept = await new FileStorage(join(inside, 'client.jsonl')).load();
  expect([...kept.values()]).toEqual(['first', 'second', 'third']);
});
