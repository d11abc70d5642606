import { fork, type ChildProcess } from 'node:child_process';
import { builtPath } from '../start/programs.js';
import { startPlatform, type Platform } from '../start/platform.js';
import { percentilesMs, rounded, type Figures, type Measured, type Scale } from './figures.js';
import { Logins } from './logins.js';
import type { Load, Order, Outcome, Report, Seat } from './load.js';
import { watch, type Usage } from './machine.js';
import { caughtUp, lagOf, Population, type Person, BENCH_SETTINGS } from './population.js';

/** A run counts only if the read models are this close behind the log at its end (ms). */
const LAG_MS_MAX = 1_000;
/** Seconds before the measured ones, and those; for a run that only shows that it works, the others. */
const WARM_UP_S = 5;
const MEASURED_S = 20;
const QUICK_WARM_UP_S = 1;
const QUICK_MEASURED_S = 3;
/** Every message says this: 100 characters, near the mean of real chat. */
const TEXT = 'What is written remains. '.repeat(4);

/** Who talks, in rooms of how many, how fast; and how many others log in meanwhile. */
export type Chat = Readonly<{
  people: number;
  room: number;
  ratePerS?: number;
  loginsPerS?: number;
}>;

/** The generator, in a process of its own. */
export class Generator {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<Report['kind'], (report: Report) => void>();
  #failed: ((error: Error) => void) | undefined;

  constructor() {
    this.#child = fork(builtPath('tools/bench/generator.js'));
    this.#child.on('message', (report: Report) => this.#waiting.get(report.kind)?.(report));
    this.#child.once('exit', (code) =>
      this.#failed?.(new Error(`The generator ended (code ${code}).`)),
    );
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  tell(order: Order): void {
    this.#child.send(order);
  }

  /** Waits until it reports this. */
  async hears<Kind extends Report['kind']>(kind: Kind): Promise<Extract<Report, { kind: Kind }>> {
    const report = await new Promise<Report>((resolve, reject) => {
      this.#failed = reject;
      this.#waiting.set(kind, resolve);
    });
    this.#waiting.delete(kind);
    // Reports wait under their own kind.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    return report as Extract<Report, { kind: Kind }>;
  }

  end(): void {
    this.#failed = undefined;
    this.#child.kill('SIGKILL');
  }
}

/** People in rooms of a size, each in one. */
export const roomsOf = <Item>(items: readonly Item[], size: number): Item[][] =>
  Array.from({ length: Math.floor(items.length / size) }, (_, at) =>
    items.slice(at * size, (at + 1) * size),
  );

/** Every process of a platform, by name. */
export const pidsOf = ({ parts }: Platform): Record<string, number> =>
  Object.fromEntries([...parts].map(([name, { pid }]) => [name, pid ?? 0]));

const seated = (people: readonly Person[], { room }: Chat, conversations: readonly string[]) =>
  people.map(({ userId, token }, at): Seat => {
    const conversation = conversations[Math.floor(at / room)];
    return { userId, token, conversations: conversation === undefined ? [] : [conversation] };
  });

const figuresOf = (outcome: Outcome, { seconds, cpu, others, load }: Usage): Figures => {
  const { generator = 0, ...own } = cpu;
  const used = Object.values(own).reduce((sum, one) => sum + one, 0);
  const thousands = outcome.acknowledged / 1_000;
  return {
    acknowledgedPerS: rounded(outcome.acknowledged / seconds),
    deliveredPerS: rounded(outcome.delivered / seconds),
    ...percentilesMs('ack', outcome.ackMs),
    ...percentilesMs('delivered', outcome.deliveredMs),
    cpuSPer1000: rounded(used / thousands),
    ...Object.fromEntries(
      Object.entries(own).map(([name, one]) => [`${name}CpuSPer1000`, rounded(one / thousands)]),
    ),
    generatorCpuSPer1000: rounded(generator / thousands),
    generatorCores: rounded(generator / seconds),
    othersCores: rounded(others / seconds),
    load1Min: rounded(load),
    retried: outcome.retried,
    behind: outcome.behind,
  };
};

const faultsOf = (outcome: Outcome, lagMs: number, platform: Platform): readonly string[] => {
  const { lost, duplicated, misordered, refused, closed } = outcome;
  const counts = { lost, duplicated, misordered, refused, closed };
  const restarted = [...platform.parts.values()].filter(({ restarts }) => restarts > 0);
  return [
    ...Object.entries(counts).flatMap(([name, count]) => (count > 0 ? [`${name} ${count}`] : [])),
    ...(lagMs > LAG_MS_MAX ? [`read models ${Math.round(lagMs)} ms behind`] : []),
    ...(outcome.acknowledged === 0 ? ['nothing was acknowledged'] : []),
    ...restarted.map(({ name }) => `${name} was started again`),
  ];
};

const measured = async (
  platform: Platform,
  load: Load,
  loginsPerS: number | undefined,
): Promise<Measured> => {
  const generator = new Generator();
  try {
    const logins = loginsPerS === undefined ? undefined : new Logins(platform);
    await logins?.prepare();
    generator.tell({ kind: 'connect', load });
    await generator.hears('connected');
    const began = generator.hears('began');
    generator.tell({ kind: 'talk' });
    await began;
    if (loginsPerS !== undefined) logins?.begin(loginsPerS);
    const watching = watch({ ...pidsOf(platform), generator: generator.pid });
    await generator.hears('ended');
    const usage = watching();
    const ofLogins = await logins?.end();
    // Asked for now, before anything can be caught up with.
    const lag = lagOf(platform);
    const { outcome } = await generator.hears('outcome');
    const { lagMs } = await lag;
    const figures = { ...figuresOf(outcome, usage), ...ofLogins, lagMs: Math.round(lagMs) };
    return { figures, faults: faultsOf(outcome, lagMs, platform) };
  } finally {
    generator.end();
  }
};

/** A chat on a platform of its own, the generator at the socket door's own port. */
export const benchChat = async (chat: Chat, { isQuick }: Scale): Promise<Measured> => {
  const platform = await startPlatform({
    env: BENCH_SETTINGS,
    print: (part, line) => process.stderr.write(`${part} | ${line}\n`),
  });
  try {
    const population = await Population.open(platform);
    const people = await population.people(chat.people);
    const kind = chat.room === 2 ? 'direct' : 'group';
    const conversations = await population.rooms(roomsOf(people, chat.room), kind);
    await population.close();
    await caughtUp(platform);
    const load: Load = {
      socketUrl: platform.urls.socket,
      seats: seated(people, chat, conversations),
      text: TEXT,
      ...(chat.ratePerS === undefined ? {} : { ratePerS: chat.ratePerS }),
      warmUpS: isQuick ? QUICK_WARM_UP_S : WARM_UP_S,
      seconds: isQuick ? QUICK_MEASURED_S : MEASURED_S,
    };
    return await measured(platform, load, chat.loginsPerS);
  } finally {
    await platform.stop();
  }
};
