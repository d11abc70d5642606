import { fileURLToPath } from 'node:url';

/** The folder of the last build: processes run from there, also those that a test starts. */
const DIST = new URL(import.meta.url.endsWith('.ts') ? '../../dist/' : '../../', import.meta.url);

/** Path of a compiled file, by its path from the repository's root. */
export const builtPath = (entry: string): string => fileURLToPath(new URL(entry, DIST));

/** A process of the platform, as it is run. */
type Recipe = Readonly<{
  entry: string;
  /** Its usual port; another process may have it. */
  port: number;
  /** What Node is told besides. */
  flags: readonly string[];
  /** What its environment says besides. */
  env: Readonly<Record<string, string>>;
}>;

const recipe = (
  folder: string,
  port: number,
  { flags = [], env = {} }: Partial<Pick<Recipe, 'flags' | 'env'>> = {},
): Recipe => ({ entry: builtPath(`${folder}/src/main.js`), port, flags, env });

/**
 * All parts, each a process of its own, in the order of starting. Those that hold much for long keep
 * the young generation small (`--max-semi-space-size`, MiB); one arena of glibc's leaves fewer holes
 * among thousands of idle connections than several: docs/reference/performance.md.
 */
export const PROGRAMS = {
  'event-store': recipe('embedded/event-store', 2113, { flags: ['--max-semi-space-size=8'] }),
  'document-store': recipe('embedded/document-store', 27_017),
  projector: recipe('apps/projector', 3003),
  auditor: recipe('apps/auditor', 3004, { flags: ['--max-semi-space-size=4'] }),
  'command-api': recipe('apps/command-api', 3001),
  realtime: recipe('apps/realtime', 3002, {
    flags: ['--max-semi-space-size=4'],
    env: { MALLOC_ARENA_MAX: '1' },
  }),
} as const satisfies Readonly<Record<string, Recipe>>;

/** A part of the platform. */
export type PartName = keyof typeof PROGRAMS;

/** The embedded servers: what folder they keep, and how they are addressed. */
export const STORES = {
  'event-store': { folder: 'log', url: (port: number) => `esdb://127.0.0.1:${port}?tls=false` },
  'document-store': { folder: 'views', url: (port: number) => `mongodb://127.0.0.1:${port}` },
} as const satisfies Readonly<Partial<Record<PartName, unknown>>>;

/** An embedded server. */
export type StoreName = keyof typeof STORES;

/** Whether a part is an embedded server. */
export const isStore = (name: PartName): name is StoreName => name in STORES;
