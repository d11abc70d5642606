import { open, readFile, rename, type FileHandle } from 'node:fs/promises';
import { FileLock } from './file-lock.js';
import type { ScriptaStorage } from './storage.js';

/** Lines after which the journal is written anew with only what still holds. */
const COMPACT_LINES = 10_000;

type Line = readonly [key: string, value?: unknown];

const parse = (text: string): Line[] =>
  text.split('\n').flatMap((line): Line[] => {
    try {
      // The journal is this class's own.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      return line === '' ? [] : [JSON.parse(line) as Line];
    } catch (error) {
      // The last line of a process that was killed may be torn; it was never flushed.
      if (error instanceof SyntaxError) return [];
      throw error;
    }
  });

/**
 * Keeps things in one file of a Node process: a journal of JSON lines, compacted now and then. What
 * could not be written (a full disk) is kept in memory and tried again with the next write or `flush`.
 */
export class FileStorage implements ScriptaStorage {
  readonly #kept = new Map<string, unknown>();
  #pending: string[] = [];
  #lines = 0;
  #writing: Promise<void> | undefined;
  #failure: unknown;
  #file: FileHandle | undefined;

  readonly #lock: FileLock;

  constructor(private readonly path: string) {
    this.#lock = new FileLock(`${path}.lock`);
  }

  readonly claim = (): Promise<boolean> => this.#lock.take();

  readonly release = (): Promise<void> => this.#lock.release();

  readonly load = async (): Promise<ReadonlyMap<string, unknown>> => {
    await this.flush();
    this.#kept.clear();
    const text = await readFile(this.path, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return '';
      throw error;
    });
    for (const [key, value] of parse(text)) this.#keep(key, value);
    await this.#compact();
    return new Map(this.#kept);
  };

  readonly put = (key: string, value: unknown): void => {
    this.#keep(key, value);
    this.#pending.push(JSON.stringify(value === undefined ? [key] : [key, value]));
    this.#writing ??= Promise.resolve().then(() => this.#writeAll());
  };

  /** Rejects while what was put cannot be written; a later call tries again. */
  readonly flush = async (): Promise<void> => {
    await this.#writing;
    if (this.#failure !== undefined) await (this.#writing ??= this.#writeAll());
    if (this.#failure !== undefined)
      throw new Error('The disk does not keep what it was given.', { cause: this.#failure });
  };

  /** Flushes and lets go of the file. */
  readonly close = async (): Promise<void> => {
    await this.flush();
    await this.#file?.close();
    this.#file = undefined;
    await this.release();
  };

  #keep(key: string, value: unknown): void {
    if (value === undefined) this.#kept.delete(key);
    else this.#kept.set(key, value);
  }

  async #writeAll(): Promise<void> {
    this.#failure = undefined;
    try {
      do await this.#write();
      while (this.#pending.length > 0);
    } catch (error) {
      // The journal's last line may be torn: the next write makes it anew, of all that is kept.
      this.#lines = Number.POSITIVE_INFINITY;
      this.#failure = error;
    }
    this.#writing = undefined;
  }

  async #write(): Promise<void> {
    const lines = this.#pending;
    this.#pending = [];
    this.#lines += lines.length;
    if (this.#lines > COMPACT_LINES || !this.#file) return this.#compact();
    await this.#file.appendFile(lines.map((line) => `${line}\n`).join(''));
    await this.#file.datasync();
  }

  async #compact(): Promise<void> {
    const lines = [...this.#kept].map((entry) => `${JSON.stringify(entry)}\n`);
    const draft = await open(`${this.path}.new`, 'w');
    try {
      await draft.appendFile(lines.join(''));
      await draft.datasync();
    } finally {
      await draft.close();
    }
    await rename(`${this.path}.new`, this.path);
    await this.#file?.close();
    this.#file = await open(this.path, 'a');
    this.#lines = lines.length;
  }
}
