import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromJson } from './json.js';

const FILE = 'owner.json';

/** Who holds a data folder: the process and, where the system tells, when it was started. */
interface Owner {
  readonly pid: number;
  readonly started: string;
}

/**
 * Start time and state of a process from /proc (proc(5), fields 22 and 3); '' where there is none.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
  } catch {
    return '';
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) return false;
  }
  return startOf(owner.pid) === owner.started;
}

function readOwner(path: string): Owner | undefined {
  try {
    return fromJson<Owner>(readFileSync(path, 'utf8'), ['pid', 'started']);
  } catch {
    return undefined;
  }
}

function refuse(folder: string, owner: Owner): Error {
  return new Error(
    `The data folder ${folder} is held by process ${owner.pid}. ` +
      'Stop that process, or start this one with another --data-dir.',
  );
}

/** Takes a data folder for this process alone; answers how to give it back. */
export function lockFolder(folder: string): () => void {
  const path = join(folder, FILE);
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid) });
  const release = (): void => rmSync(path, { force: true });
  try {
    writeFileSync(path, mine, { flag: 'wx' });
    return release;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  const owner = readOwner(path);
  if (owner !== undefined && isAlive(owner)) throw refuse(folder, owner);
  const aside = `${path}.${process.pid}`;
  renameSync(path, aside);
  const moved = readOwner(aside);
  if (moved !== undefined && isAlive(moved)) {
    renameSync(aside, path);
    throw refuse(folder, moved);
  }
  rmSync(aside, { force: true });
  try {
    writeFileSync(path, mine, { flag: 'wx' });
  } catch {
    throw refuse(folder, readOwner(path) ?? { pid: 0, started: '' });
  }
  return release;
}
