import { open, readFile, rm } from 'node:fs/promises';
import { resolve } from 'node:path';

/** Above the highest process id of any system (Linux: 2^22). */
const NOBODY = 2 ** 30;

const codeOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error ? error.code : undefined;

/** Writes a file that may not be there yet; whether it was not. */
const created = async (path: string, text: string): Promise<boolean> => {
  try {
    const file = await open(path, 'wx');
    await file.writeFile(text);
    await file.close();
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
};

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There, and somebody else's.
    return codeOf(error) === 'EPERM';
  }
};

/** Locks that this process holds: its own pid in a file does not say by which client. */
const held = new Set<string>();

/**
 * A file beside another that says which process uses it. The lock of a process that died is taken
 * over, by one of those who find it.
 */
export class FileLock {
  readonly #path: string;

  constructor(path: string) {
    this.#path = resolve(path);
  }

  /** Takes it, unless somebody alive has it. */
  async take(): Promise<boolean> {
    if (held.has(this.#path)) return false;
    held.add(this.#path);
    const isTaken = await this.#take();
    if (!isTaken) held.delete(this.#path);
    return isTaken;
  }

  async release(): Promise<void> {
    if (held.delete(this.#path)) await rm(this.#path, { force: true });
  }

  async #take(): Promise<boolean> {
    const own = String(process.pid);
    if (await created(this.#path, own)) return true;
    const holder = await this.#holder();
    // One's own id, where one does not hold it, was another's before a restart of the container.
    if (holder !== process.pid && isAlive(holder)) return false;
    // Only one may remove what a dead process left, and looks again before it does.
    const removal = `${this.#path}.${holder}`;
    if (!(await created(removal, own))) return false;
    try {
      if ((await this.#holder()) !== holder) return false;
      await rm(this.#path);
      return await created(this.#path, own);
    } finally {
      await rm(removal, { force: true });
    }
  }

  /** A number that no process has, where it is gone or was torn by a power cut. */
  async #holder(): Promise<number> {
    const text = await readFile(this.#path, 'utf8').catch(() => '');
    const pid = Number(text);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : NOBODY;
  }
}
