import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** AES-256's key length. */
export const SECRET_BYTES = 32;

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

const fromSetting = (setting: string): Buffer => {
  const key = Buffer.from(setting, 'base64');
  if (key.length === SECRET_BYTES) return key;
  throw new Error('MASTER_KEY is not the base64 of 32 bytes; `openssl rand -base64 32` makes one.');
};

/** Makes a key where there is none. Of two processes that begin together one makes it. */
const make = (folder: string, path: string): void => {
  const made = join(folder, `master.key.${randomBytes(8).toString('hex')}`);
  writeFileSync(made, randomBytes(SECRET_BYTES), { mode: 0o600, flag: 'wx', flush: true });
  try {
    // Exclusive like O_EXCL, and nobody ever reads a key that is half written.
    linkSync(made, path);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    rmSync(made);
  }
  const handle = openSync(folder, 'r');
  fsyncSync(handle);
  closeSync(handle);
};

/** The key that wraps all others: `setting` (base64) if given, else `master.key`, made once. */
export const masterKeyOf = (folder: string, setting: string): Buffer => {
  if (setting !== '') return fromSetting(setting);
  const path = join(folder, 'master.key');
  for (;;) {
    try {
      const key = readFileSync(path);
      if (key.length === SECRET_BYTES) return key;
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
      make(folder, path);
      continue;
    }
    throw new Error(
      `${path} does not hold 32 bytes. Restore it from a backup: without it no content can be read.`,
    );
  }
};
