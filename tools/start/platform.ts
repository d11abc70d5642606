import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProxy, type Proxy } from './proxy.js';
import { Supervised } from './supervised.js';

const DIST = fileURLToPath(new URL('../..', import.meta.url));
/** The usual ports; another process may have them. */
const PORTS = {
  'event-store': 2113,
  'document-store': 27_017,
  'command-api': 3001,
  realtime: 3002,
  projector: 3003,
} as const;
/** Numbers that need no message on a platform of one's own, and their code. */
export const LOCAL_TEST_NUMBERS = { prefix: '+1555', code: '424242' } as const;

/** A part of the platform, each a process of its own. */
export type PartName = keyof typeof PORTS;
type Environment = Readonly<Record<string, string | undefined>>;

/** How a platform is to run. */
export type PlatformOptions = Readonly<{
  /** Where data is kept; left out, a temporary folder that goes with the platform. */
  dataDir?: string;
  /** The public port; 0 takes any free one. */
  port?: number;
  /** Whether internal ports are the usual ones where they are free. */
  usualPorts?: boolean;
  env?: Environment;
  /** Settings of a part's first life only. */
  first?: Readonly<Partial<Record<PartName, Readonly<Record<string, string>>>>>;
  print?: (part: string, line: string) => void;
}>;

/** A running platform. */
export type Platform = Readonly<{
  dataDir: string;
  urls: Readonly<{
    public: string;
    rest: string;
    socket: string;
    projector: string;
    eventstore: string;
    mongodb: string;
  }>;
  /** Parts that run here; servers that were given by URL are not among them. */
  parts: ReadonlyMap<PartName, Supervised>;
  stop: () => Promise<void>;
}>;

const isFree = (port: number): Promise<number | undefined> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(undefined));
    probe.listen(port, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' ? address?.port : undefined));
    });
  });

const freePort = async (wanted: number): Promise<number> => {
  const port = (await isFree(wanted)) ?? (await isFree(0));
  if (port === undefined) throw new Error('No port is free on 127.0.0.1.');
  return port;
};

const freePorts = async (usual: boolean): Promise<Record<PartName, number>> => {
  const ports = { ...PORTS };
  const chosen: Record<string, number> = ports;
  for (const [name, port] of Object.entries(PORTS)) chosen[name] = await freePort(usual ? port : 0);
  return ports;
};

const at = (port: number): string => `http://127.0.0.1:${port}`;

const settings = (
  options: PlatformOptions,
  dataDir: string,
  ports: Readonly<Record<PartName, number>>,
  port: number,
): Record<string, string | undefined> => {
  const given = { ...process.env, ...options.env };
  const local = `${LOCAL_TEST_NUMBERS.prefix}:${LOCAL_TEST_NUMBERS.code}`;
  return {
    // What a person at a terminal wants to know; LOG_LEVEL asks for more.
    LOG_LEVEL: 'warn',
    ...given,
    DATA_DIR: dataDir,
    EVENTSTORE_URL: given['EVENTSTORE_URL'] ?? `esdb://127.0.0.1:${ports['event-store']}?tls=false`,
    MONGODB_URL: given['MONGODB_URL'] ?? `mongodb://127.0.0.1:${ports['document-store']}`,
    COMMAND_API_PORT: String(ports['command-api']),
    REALTIME_PORT: String(ports.realtime),
    PROJECTOR_PORT: String(ports.projector),
    PUBLIC_URL: given['PUBLIC_URL'] ?? at(port),
    // Fixed codes are for a log of one's own only, never for servers that others use.
    TEST_NUMBERS: given['TEST_NUMBERS'] ?? (given['EVENTSTORE_URL'] === undefined ? local : ''),
  };
};

const ENTRIES: Readonly<Record<PartName, string>> = {
  'event-store': 'embedded/event-store/src/main.js',
  'document-store': 'embedded/document-store/src/main.js',
  projector: 'apps/projector/src/main.js',
  'command-api': 'apps/command-api/src/main.js',
  realtime: 'apps/realtime/src/main.js',
};

const argumentsOf = (name: PartName, dataDir: string, port: number): string[] => {
  if (name !== 'event-store' && name !== 'document-store') return [];
  const folder = join(dataDir, name === 'event-store' ? 'log' : 'views');
  return ['--data-dir', folder, '--port', String(port)];
};

/** Starts everything that was not given by URL: servers first, then the apps, then the one port. */
export const startPlatform = async (options: PlatformOptions = {}): Promise<Platform> => {
  const temporary = options.dataDir === undefined;
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'scripta-')));
  const ports = await freePorts(options.usualPorts ?? false);
  const publicPort = options.port ? options.port : await freePort(0);
  const env = settings(options, dataDir, ports, publicPort);
  const parts = new Map<PartName, Supervised>();
  let proxy: Proxy | undefined;
  const stop = async (): Promise<void> => {
    for (const part of parts.values()) part.release();
    await proxy?.close();
    for (const group of STOP_ORDER)
      await Promise.all(group.map(async (name) => parts.get(name)?.stop()));
    if (temporary) await rm(dataDir, { recursive: true, force: true });
  };
  const begin = async (name: PartName): Promise<void> => {
    const part = new Supervised({
      name,
      entry: join(DIST, ENTRIES[name]),
      args: argumentsOf(name, dataDir, ports[name]),
      env,
      print: (line) => options.print?.(name, line),
    });
    parts.set(name, part);
    await part.start(options.first?.[name]);
  };
  const given = { ...process.env, ...options.env };
  const servers: PartName[] = [];
  if (given['EVENTSTORE_URL'] === undefined) servers.push('event-store');
  if (given['MONGODB_URL'] === undefined) servers.push('document-store');
  const rest = at(ports['command-api']);
  const socket = at(ports.realtime);
  const projector = at(ports.projector);
  try {
    await Promise.all(servers.map(begin));
    // The first of them makes the keys that the others read.
    await begin('projector');
    await Promise.all((['command-api', 'realtime'] as const).map(begin));
    const routes = [
      { path: '/socket.io', target: socket },
      ...['/v1', '/docs', '/docs-json', '/livez'].map((path) => ({ path, target: rest })),
    ];
    proxy = await startProxy(publicPort, routes, {
      'command-api': rest,
      realtime: socket,
      projector,
    });
  } catch (error) {
    await stop();
    throw error;
  }
  const eventstore = env['EVENTSTORE_URL'] ?? '';
  const mongodb = env['MONGODB_URL'] ?? '';
  const urls = { public: at(proxy.port), rest, socket, projector, eventstore, mongodb };
  return { dataDir, urls, parts, stop };
};

/** Doors first, so that nothing new comes in; stores last. */
const STOP_ORDER: readonly (readonly PartName[])[] = [
  ['realtime', 'command-api'],
  ['projector'],
  ['document-store', 'event-store'],
];
