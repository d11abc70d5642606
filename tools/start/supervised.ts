import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { builtPath } from './programs.js';

/** A process that has not said `ready` by then is killed (ms); a lost index takes a while. */
const READY_MS_MAX = 60_000;
/** First and longest wait before a process is started again (ms), with full jitter. */
const RESTART_MS = 100;
const RESTART_MS_MAX = 5_000;
/** A process that lived this long (ms) begins again with the first wait. */
const STABLE_MS = 10_000;
/** After this a process that was asked to end is killed (ms; invariant V30: 10 s in all). */
const STOP_MS_MAX = 10_000;

const LEASH = pathToFileURL(builtPath('tools/start/leash.js')).href;

/** Settings of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** How to run a process, and who hears what it prints. */
export type Program = Readonly<{
  name: string;
  /** Path of the compiled entry. */
  entry: string;
  /** What Node is told besides. */
  flags: readonly string[];
  /** The port that its first life takes; 0 for any free one, which later lives then take. */
  port: number;
  /** What makes it listen on a port. */
  listening: (port: number) => Readonly<{ args: readonly string[]; env: Environment }>;
  print: (line: string) => void;
}>;

/** One child process, started again whenever it ends, until it is stopped. */
export class Supervised {
  readonly #program: Program;
  #child: ChildProcess | undefined;
  #port: number;
  #isReady = false;
  #isStopping = false;
  /** Failing before it was ready once is final: nothing that comes later would mend that. */
  #wasReady = false;
  #attempts = 0;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(program: Program) {
    this.#program = program;
    this.#port = program.port;
  }

  get name(): string {
    return this.#program.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Where it listens; the same in every life. Known once it has been ready. */
  get port(): number {
    return this.#port;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts it; resolves when it is ready, rejects when its first life ends before that. */
  async start(): Promise<void> {
    const child = this.#launch();
    await new Promise<void>((resolve, reject) => {
      child.once('ready', resolve);
      child.once('exit', (code, signal) => {
        const how = signal ?? `code ${code}`;
        reject(new Error(`${this.name} could not start (${how}); its own words stand above.`));
      });
      child.once('error', reject);
    });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** From here on it is not started again. */
  release(): void {
    this.#isStopping = true;
    clearTimeout(this.#timer);
  }

  /** Asks it to end, and waits until it has. */
  async stop(): Promise<void> {
    this.release();
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
    });
    child.kill('SIGTERM');
    const hurry = setTimeout(() => {
      this.#program.print(`has not ended within ${STOP_MS_MAX / 1_000} s and is killed`);
      child.kill('SIGKILL');
    }, STOP_MS_MAX);
    await gone;
    clearTimeout(hurry);
    if (child.exitCode !== 0) this.#program.print(`did not end well (code ${child.exitCode})`);
  }

  #launch(): ChildProcess {
    const { entry, flags, listening } = this.#program;
    const { args, env } = listening(this.#port);
    const bornAt = performance.now();
    const options = ['--enable-source-maps', `--import=${LEASH}`, ...flags];
    const child = spawn(process.execPath, [...options, entry, ...args], {
      env,
      // What holds the other end of its standard input is the leash.
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ctrl-C reaches the supervisor alone, which ends the parts in order.
      detached: true,
    });
    this.#child = child;
    child.stdin.on('error', () => {
      // Its end is told by `exit`.
    });
    const late = setTimeout(() => {
      this.#program.print(`was not ready within ${READY_MS_MAX / 1_000} s`);
      child.kill('SIGKILL');
    }, READY_MS_MAX);
    for (const output of [child.stdout, child.stderr])
      createInterface({ input: output }).on('line', (line) => this.#hear(child, line));
    child.once('ready', () => clearTimeout(late));
    child.once('exit', (code, signal) => {
      clearTimeout(late);
      this.#ended(performance.now() - bornAt, signal ?? `code ${code}`);
    });
    return child;
  }

  #hear(child: ChildProcess, line: string): void {
    const ready = /^ready (\d+)$/u.exec(line);
    if (!ready) return this.#program.print(line);
    this.#port = Number(ready[1]);
    this.#isReady = true;
    this.#wasReady = true;
    child.emit('ready');
  }

  #ended(livedMs: number, how: string): void {
    this.#isReady = false;
    if (this.#isStopping || !this.#wasReady) return;
    if (livedMs > STABLE_MS) this.#attempts = 0;
    const longest = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** this.#attempts);
    const waitMs = Math.ceil(Math.random() * longest);
    this.#attempts += 1;
    this.#program.print(`ended (${how}); starting again in ${waitMs} ms`);
    this.#timer = setTimeout(() => {
      this.#restarts += 1;
      this.#launch();
    }, waitMs);
  }
}
