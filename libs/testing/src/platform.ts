import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));
/** A process that has not said that it is ready by then has failed. */
const READY_MS_MAX = 30_000;
/** A process that has not ended by then after being asked to is killed. */
const STOP_MS_MAX = 10_000;
/** Output kept of each process, to be shown when something fails. */
const LOG_CHARS_MAX = 64_000;

/** The processes of the platform, in the order of starting. */
export const PROCESSES = [
  'event-store',
  'document-store',
  'projector',
  'command-api',
  'realtime',
  'auditor',
] as const;
/** One process of the platform. */
export type ProcessName = (typeof PROCESSES)[number];

const PROGRAMS: Readonly<Record<ProcessName, string>> = {
  'event-store': 'embedded/event-store/src/main.js',
  'document-store': 'embedded/document-store/src/main.js',
  projector: 'apps/projector/src/main.js',
  'command-api': 'apps/command-api/src/main.js',
  realtime: 'apps/realtime/src/main.js',
  auditor: 'apps/auditor/src/main.js',
};

/** Where each app finds its port. */
const PORT_SETTINGS = {
  projector: 'PROJECTOR_PORT',
  'command-api': 'COMMAND_API_PORT',
  realtime: 'REALTIME_PORT',
  auditor: 'AUDITOR_PORT',
} as const;

/** Servers that are used instead of embedded ones; `npm run conformance` names them. */
const GIVEN: Readonly<Partial<Record<ProcessName, string>>> = {
  ...(process.env['SCRIPTA_EVENTSTORE_URL']
    ? { 'event-store': process.env['SCRIPTA_EVENTSTORE_URL'] }
    : {}),
  ...(process.env['SCRIPTA_MONGODB_URL']
    ? { 'document-store': process.env['SCRIPTA_MONGODB_URL'] }
    : {}),
};

/** Whether a process is somebody else's server, which a test can neither kill nor start. */
export const isGiven = (name: ProcessName): boolean => GIVEN[name] !== undefined;

/** How a test wants its platform. */
export type PlatformOptions = Readonly<{
  /** Kept when given; otherwise a folder of its own that goes with the platform. */
  dataDir?: string;
  /** Settings for all processes. */
  env?: Readonly<Record<string, string>>;
  /** Whether the auditor runs too. */
  audited?: boolean;
}>;

/** Phone numbers that begin so log in with this code. */
export const TEST_PHONES = { prefix: '+4915', code: '123456' } as const;

type Running = { child: ChildProcess; port: number; log: string };

/**
 * The platform as it runs in production, each part a process of its own: from the last build, which
 * `npm test` makes first.
 */
export class Platform {
  readonly #running = new Map<ProcessName, Running>();
  /** A restarted process listens where it did, so that others find it again. */
  readonly #ports = new Map<ProcessName, number>();

  constructor(
    readonly dataDir: string,
    private readonly isTemporary: boolean,
    private readonly env: Readonly<Record<string, string>>,
  ) {}

  /** Where the two doors are, as the SDK takes it. */
  get url(): Readonly<{ rest: string; socket: string }> {
    const at = (name: ProcessName) => `http://127.0.0.1:${this.port(name)}`;
    return { rest: at('command-api'), socket: at('realtime') };
  }

  /** Settings that every app runs with, for a test that opens the stores itself. */
  get settings(): Readonly<Record<string, string>> {
    return {
      DATA_DIR: this.dataDir,
      EVENTSTORE_URL:
        GIVEN['event-store'] ?? `esdb://127.0.0.1:${this.#ports.get('event-store') ?? 0}?tls=false`,
      MONGODB_URL:
        GIVEN['document-store'] ?? `mongodb://127.0.0.1:${this.#ports.get('document-store') ?? 0}`,
      TEST_NUMBERS: `${TEST_PHONES.prefix}:${TEST_PHONES.code}`,
      LOG_LEVEL: 'warn',
      RATE_LIMIT_COMMANDS: 'false',
      ...this.env,
    };
  }

  port(name: ProcessName): number {
    const port = this.#ports.get(name);
    if (port === undefined) throw new Error(`${name} has not been started.`);
    return port;
  }

  isRunning(name: ProcessName): boolean {
    const child = this.#running.get(name)?.child;
    return child?.exitCode === null && child.signalCode === null;
  }

  pid(name: ProcessName): number {
    return this.#running.get(name)?.child.pid ?? 0;
  }

  /** What a process has printed, the latest part of it. */
  log(name: ProcessName): string {
    return this.#running.get(name)?.log ?? '';
  }

  /** Starts a process and waits until it is ready. */
  async start(name: ProcessName, env: Readonly<Record<string, string>> = {}): Promise<void> {
    const child = spawn(process.execPath, [join(DIST, PROGRAMS[name]), ...this.#arguments(name)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...this.settings, ...this.#listening(name), ...env },
    });
    const running: Running = { child, port: 0, log: '' };
    this.#running.set(name, running);
    const hear = (bytes: Buffer) => {
      running.log = (running.log + bytes.toString()).slice(-LOG_CHARS_MAX);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    this.#ports.set(name, await readyPort(name, running));
  }

  /** Ends a process at once, as a power cut would, and waits until it is gone. */
  async kill(name: ProcessName, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#running.get(name)?.child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }

  /** Waits until a process is gone that a crash point ends. */
  async gone(name: ProcessName): Promise<void> {
    const child = this.#running.get(name)?.child;
    if (child?.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  /** Ends everything, doors first, and removes a temporary folder. */
  async stop(): Promise<void> {
    for (const name of PROCESSES.toReversed()) {
      const hurry = setTimeout(() => void this.kill(name), STOP_MS_MAX);
      await this.kill(name, 'SIGTERM');
      clearTimeout(hurry);
    }
    if (this.isTemporary) await rm(this.dataDir, { recursive: true, force: true });
  }

  #arguments(name: ProcessName): string[] {
    if (name !== 'event-store' && name !== 'document-store') return [];
    const port = String(this.#ports.get(name) ?? 0);
    return ['--data-dir', join(this.dataDir, name), '--port', port];
  }

  #listening(name: ProcessName): Record<string, string> {
    if (name === 'event-store' || name === 'document-store') return {};
    return { [PORT_SETTINGS[name]]: String(this.#ports.get(name) ?? 0) };
  }
}

const readyPort = (name: ProcessName, running: Running): Promise<number> =>
  new Promise((resolve, reject) => {
    const { child } = running;
    const fail = (why: string) => done(() => reject(new Error(`${name} ${why}\n${running.log}`)));
    const look = () => {
      const ready = /^ready (\d+)$/m.exec(running.log);
      if (ready) done(() => resolve(Number(ready[1])));
    };
    const ended = () => fail('ended before it was ready.');
    const timer = setTimeout(() => fail('was not ready in time.'), READY_MS_MAX);
    const done = (settle: () => void) => {
      clearTimeout(timer);
      child.stdout?.off('data', look);
      child.off('exit', ended);
      settle();
    };
    child.stdout?.on('data', look);
    child.once('exit', ended);
  });

/** Starts the whole platform on ports of its own. */
export const startPlatform = async ({
  dataDir,
  env = {},
  audited = false,
}: PlatformOptions = {}): Promise<Platform> => {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'scripta-test-')));
  const platform = new Platform(folder, dataDir === undefined, env);
  try {
    for (const name of PROCESSES)
      if (!isGiven(name) && (name !== 'auditor' || audited)) await platform.start(name);
    return platform;
  } catch (error) {
    await platform.stop();
    throw error;
  }
};
