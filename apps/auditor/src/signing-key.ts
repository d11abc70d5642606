import type { KeyObject } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { newSigningKey, publicPemOf, signingKeyOf } from '#proof';

/** Only the one that runs the platform reads the key; its public half is anybody's. */
const SECRET_MODE = 0o600;

const isMadeMeanwhile = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EEXIST';

/** Makes a key where there is none. Of two processes that begin together one makes it. */
const make = (folder: string, path: string): void => {
  const made = join(folder, `signing.key.${randomBytes(8).toString('hex')}`);
  writeFileSync(made, newSigningKey(), { mode: SECRET_MODE, flag: 'wx', flush: true });
  try {
    linkSync(made, path);
  } catch (error) {
    if (!isMadeMeanwhile(error)) throw error;
  } finally {
    rmSync(made);
  }
};

/**
 * The Ed25519 key that heads are signed with, `audit/signing.key` in the data folder, made once.
 * `audit/signing.pub` beside it is what verifiers need.
 */
export const signingKeyIn = (dataDir: string): KeyObject => {
  const folder = join(dataDir, 'audit');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, 'signing.key');
  if (!existsSync(path)) make(folder, path);
  const key = signingKeyOf(readFileSync(path, 'utf8'));
  writeFileSync(join(folder, 'signing.pub'), publicPemOf(key), { mode: 0o644 });
  return key;
};
