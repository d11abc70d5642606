import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ports } from '#commands';
import { API_KEY_SCOPES, ApiKeys } from '#platform';

/** Its name in the data folder. Whoever may read the folder has all keys anyway. */
const FILE = 'development-api-key';

const isThere = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'EEXIST';

/**
 * Makes a key of every scope at the first start on a data folder, prints it and keeps it in a file
 * beside the data. Where keys are required, operators make their own (npm run api-keys).
 */
export const offerDevelopmentKey = async (ports: Ports): Promise<void> => {
  const { config, operations } = ports;
  if (config.REQUIRE_API_KEY) return;
  const path = join(config.DATA_DIR, FILE);
  try {
    // Of processes that start at once one makes the file, and so the key.
    const file = await open(path, 'wx', 0o600);
    const { key } = await new ApiKeys(operations, ports).create('development', API_KEY_SCOPES);
    await file.writeFile(`${key}\n`);
    await file.close();
    process.stdout.write(`API key for development: ${key} (also in ${path})\n`);
  } catch (error) {
    if (!isThere(error)) throw error;
  }
};
