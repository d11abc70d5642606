import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '#platform';
import { isStore, PROGRAMS, STORES, type PartName, type StoreName } from './programs.js';
import { startProxy, type Part, type Proxy } from './proxy.js';
import { Supervised, type Environment } from './supervised.js';

/** Where each app finds its port. */
const PORT_SETTINGS = {
  'command-api': 'COMMAND_API_PORT',
  realtime: 'REALTIME_PORT',
  projector: 'PROJECTOR_PORT',
  auditor: 'AUDITOR_PORT',
} as const;
/** Doors first, so that nothing new comes in; stores last. */
const STOP_ORDER: readonly (readonly PartName[])[] = [
  ['realtime', 'command-api'],
  ['projector', 'auditor'],
  ['document-store', 'event-store'],
];
const ROUTES = [
  { path: '/socket.io', part: 'realtime' },
  ...['/v1', '/docs', '/docs-json', '/asyncapi', '/asyncapi.json', '/livez'].map((path) => ({
    path,
    part: 'command-api',
  })),
] as const;
/** Numbers that need no message on a platform of one's own, and their code. */
export const LOCAL_TEST_NUMBERS = { prefix: '+1555', code: '424242' } as const;
/** All parts say that they are ready within this (ms) of the last `ready` line. */
const ALL_READY_MS_MAX = 30_000;
const LOOK_MS = 20;
/** A part that does not answer a question for its health by then (ms) is not ready. */
const HEALTH_MS_MAX = 2_000;

/** How a platform is to run. */
export type PlatformOptions = Readonly<{
  /** Where data is kept; left out, a temporary folder that goes with the platform. */
  dataDir?: string;
  /** The public port; 0 or left out takes any free one. */
  port?: number;
  /** Whether internal ports are the usual ones where they are free. */
  usualPorts?: boolean;
  env?: Environment;
  print?: (part: string, line: string) => void;
  /** Aborting ends the platform, also while it is being started. */
  signal?: AbortSignal;
}>;

/** A running platform. */
export type Platform = Readonly<{
  dataDir: string;
  urls: Readonly<{
    public: string;
    rest: string;
    socket: string;
    projector: string;
    auditor: string;
    eventstore: string;
    mongodb: string;
  }>;
  /** The settings that the apps run with, for a tool that opens the stores itself. */
  settings: Environment;
  /** Parts that run here; servers that were given by URL are not among them. */
  parts: ReadonlyMap<PartName, Supervised>;
  /** Sends a signal to a part, which is started again if it ends by it. */
  kill: (part: PartName, signal: NodeJS.Signals) => void;
  stop: () => Promise<void>;
}>;

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

const at = (port: number): string => `http://127.0.0.1:${port}`;

const isReady = async (url: string): Promise<boolean> => {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(HEALTH_MS_MAX) })).ok;
  } catch {
    // Not answering is the answer.
    return false;
  }
};

/** Everything of one platform: what runs, and what it is told. */
class Running implements Platform {
  readonly parts = new Map<PartName, Supervised>();
  readonly #options: PlatformOptions;
  readonly #given: Environment;
  #proxy: Proxy | undefined;
  #stopped: Promise<void> | undefined;

  constructor(
    readonly dataDir: string,
    options: PlatformOptions,
  ) {
    this.#options = options;
    this.#given = { ...process.env, ...options.env };
  }

  get urls() {
    const { EVENTSTORE_URL: eventstore = '', MONGODB_URL: mongodb = '' } = this.settings;
    return {
      public: at(this.#proxy?.port ?? 0),
      rest: at(this.#portOf('command-api')),
      socket: at(this.#portOf('realtime')),
      projector: at(this.#portOf('projector')),
      auditor: at(this.#portOf('auditor')),
      eventstore,
      mongodb,
    };
  }

  get settings(): Environment {
    const given = this.#given;
    const local = `${LOCAL_TEST_NUMBERS.prefix}:${LOCAL_TEST_NUMBERS.code}`;
    const own = (name: StoreName) => STORES[name].url(this.#portOf(name));
    return {
      // What a person at a terminal wants to know; LOG_LEVEL asks for more.
      LOG_LEVEL: 'warn',
      ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }),
      ...given,
      DATA_DIR: this.dataDir,
      EVENTSTORE_URL: given['EVENTSTORE_URL'] ?? own('event-store'),
      MONGODB_URL: given['MONGODB_URL'] ?? own('document-store'),
      PUBLIC_URL: given['PUBLIC_URL'] ?? at(this.#proxy?.port ?? 0),
      // Fixed codes are for a log of one's own only, never for servers that others use.
      TEST_NUMBERS: given['TEST_NUMBERS'] ?? (given['EVENTSTORE_URL'] === undefined ? local : ''),
    };
  }

  /** Servers first, then the apps; the public port answers 503 until its part is there. */
  async start(): Promise<void> {
    const names: PartName[] = ['projector', 'command-api', 'realtime'];
    // The auditor only checks what the others do: it may be left out, and its health is not theirs.
    const beside: PartName[] = readConfig(this.settings).AUDITOR ? ['auditor'] : [];
    const stores: StoreName[] = [];
    if (this.#given['EVENTSTORE_URL'] === undefined) stores.push('event-store');
    if (this.#given['MONGODB_URL'] === undefined) stores.push('document-store');
    const asked = [...stores, ...names].map((name) => [name, this.#asPart(name)] as const);
    this.#proxy = await startProxy(this.#options.port ?? 0, ROUTES, Object.fromEntries(asked));
    await Promise.all(stores.map((name) => this.#begin(name)));
    // The first of them makes the keys that the others read.
    await this.#begin('projector');
    const others: PartName[] = ['command-api', 'realtime', ...beside];
    await Promise.all(others.map((name) => this.#begin(name)));
    await this.#whenAllReady([
      ...asked,
      ...beside.map((name) => [name, this.#asPart(name)] as const),
    ]);
  }

  kill(name: PartName, signal: NodeJS.Signals): void {
    this.parts.get(name)?.kill(signal);
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    for (const part of this.parts.values()) part.release();
    await this.#proxy?.close();
    for (const group of STOP_ORDER)
      await Promise.all(group.map(async (name) => this.parts.get(name)?.stop()));
    if (this.#options.dataDir === undefined)
      await rm(this.dataDir, { recursive: true, force: true });
  }

  async #begin(name: PartName): Promise<void> {
    const { entry, flags, port: usual } = PROGRAMS[name];
    const isUsual = this.#options.usualPorts === true && (await isFree(usual));
    const part = new Supervised({
      name,
      entry,
      flags,
      port: isUsual ? usual : 0,
      listening: (port) => this.#listening(name, port),
      print: (line) => this.#options.print?.(name, line),
    });
    this.parts.set(name, part);
    // One that was asked to stop in the meantime is not started any more.
    if (this.#stopped) return;
    await part.start();
  }

  #listening(name: PartName, port: number): { args: string[]; env: Environment } {
    const { env } = PROGRAMS[name];
    if (!isStore(name))
      return {
        args: [],
        env: { ...this.settings, ...env, [PORT_SETTINGS[name]]: String(port) },
      };
    const args = ['--data-dir', join(this.dataDir, STORES[name].folder), '--port', String(port)];
    return { args, env: { ...this.#given, ...env } };
  }

  #portOf(name: PartName): number {
    return this.parts.get(name)?.port ?? 0;
  }

  #asPart(name: PartName): Part {
    const url = () => (this.#portOf(name) === 0 ? undefined : at(this.#portOf(name)));
    const isUp = () => this.parts.get(name)?.isReady === true;
    // The stores do not speak this HTTP; the log's health is asked for by the apps.
    if (isStore(name)) return { url, isReady: () => Promise.resolve(isUp()) };
    return { url, isReady: async () => isUp() && isReady(url() ?? '') };
  }

  async #whenAllReady(parts: readonly (readonly [string, Part])[]): Promise<void> {
    const end = performance.now() + ALL_READY_MS_MAX;
    for (const [name, part] of parts)
      while (!(await part.isReady())) {
        if (performance.now() > end) throw new Error(`${name} runs, but does not become ready.`);
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
  }
}

/** Starts everything that was not given by URL, behind one port; ready when all parts are. */
export const startPlatform = async (options: PlatformOptions = {}): Promise<Platform> => {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'scripta-')));
  const platform = new Running(dataDir, options);
  options.signal?.addEventListener('abort', () => void platform.stop(), { once: true });
  try {
    options.signal?.throwIfAborted();
    await platform.start();
    return platform;
  } catch (error) {
    await platform.stop();
    throw error;
  }
};
