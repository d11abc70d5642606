import { fileURLToPath } from 'node:url';

/** The folder of the last build: processes run from there, also those that a test starts. */
const DIST = new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : '../../', import.meta.url);

/** Path of a compiled file, by its path from the repository's root. */
export const builtPath = (entry: string): string => fileURLToPath(new URL(entry, DIST));
