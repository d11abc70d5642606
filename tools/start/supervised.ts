import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A process that has not said `ready` by then is taken for failed (ms). */
const READY_MS_MAX = 30_000;
/** First and longest wait before a process is started again (ms), with full jitter. */
const RESTART_MS = 100;
const RESTART_MS_MAX = 5_000;
/** A process that lived this long (ms) begins again with the first wait. */
const STABLE_MS = 10_000;
/** After this a process that was asked to end is killed (ms). */
const STOP_MS_MAX = 12_000;

/** Ends a part whose supervisor is gone, however that ended. */
const LEASH = new URL('leash.js', import.meta.url).href;

/** How to run a process, and who hears what it prints. */
export type Program = Readonly<{
  name: string;
  /** Path of the compiled entry. */
  entry: string;
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  print: (line: string) => void;
}>;

/** One child process, started again whenever it ends, until it is stopped. */
export class Supervised {
  readonly #program: Program;
  #child: ChildProcess | undefined;
  #stopping = false;
  #attempts = 0;
  #restarts = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Settings of the next life only, for a test that plants a fault. */
  #once: Readonly<Record<string, string>> = {};

  constructor(program: Program) {
    this.#program = program;
  }

  get name(): string {
    return this.#program.name;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** How often it was started again. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Starts it; resolves when it is ready, rejects when its first life ends before that. */
  async start(once: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#once = once;
    const child = this.#launch();
    await ready(child, this.#program.name);
  }

  #launch(): ChildProcess {
    const { entry, args, env, print } = this.#program;
    const bornAt = Date.now();
    const child = spawn(process.execPath, ['--import', LEASH, entry, ...args], {
      env: { ...env, ...this.#once },
      stdio: ['pipe', 'pipe', 'pipe'],
      // Ctrl-C reaches the supervisor alone, which ends the parts in order.
      detached: true,
    });
    this.#once = {};
    this.#child = child;
    for (const output of [child.stdout, child.stderr])
      createInterface({ input: output }).on('line', (line) => {
        if (!line.startsWith('ready ')) print(line);
      });
    child.once('exit', (code, signal) => this.#ended(bornAt, signal ?? `code ${code}`));
    return child;
  }

  #ended(bornAt: number, how: string): void {
    if (this.#stopping) return;
    if (Date.now() - bornAt > STABLE_MS) this.#attempts = 0;
    const longest = Math.min(RESTART_MS_MAX, RESTART_MS * 2 ** this.#attempts);
    const wait = Math.ceil(Math.random() * longest);
    this.#attempts += 1;
    this.#program.print(`ended (${how}); starting again in ${wait} ms`);
    this.#timer = setTimeout(() => {
      this.#restarts += 1;
      this.#launch();
    }, wait);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** From here on it is not started again. */
  release(): void {
    this.#stopping = true;
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
    const hurry = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await gone;
    clearTimeout(hurry);
  }
}

/** Resolves at the line `ready <port>`. */
const ready = (child: ChildProcess, name: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`${name} was not ready within ${READY_MS_MAX / 1_000} s.`)),
      READY_MS_MAX,
    );
    child.once('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`${name} could not start (code ${code}); its own words stand above.`));
    });
    child.stdout?.on('data', (bytes: Buffer) => {
      if (!/^ready \d+/mu.test(bytes.toString())) return;
      clearTimeout(late);
      resolve();
    });
  });
