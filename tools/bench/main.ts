import { parseArgs } from 'node:util';
import { startPlatform, type Platform } from '../start/platform.js';
import { benchChat, type Chat } from './chat.js';
import { busySeconds, loadNow, median } from './machine.js';
import { benchDisk, benchLog, benchStore } from './servers.js';

type Figures = Readonly<Record<string, number | boolean>>;
type Scenario = (platform: Platform, quick: boolean) => Promise<Figures>;

const chat =
  (what: Omit<Chat, 'seconds'>): Scenario =>
  (platform, quick) =>
    benchChat(platform, { ...what, seconds: quick ? 3 : 15 });

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  log: (platform, quick) => benchLog(platform, quick ? 5_000 : 20_000),
  store: (platform, quick) => benchStore(platform, quick ? 5_000 : 50_000),
  disk: (platform, quick) => benchDisk(platform, quick ? 100 : 1_000),
  'open-200': chat({ people: 200, room: 2, ratePerS: 200 }),
  'open-500': chat({ people: 200, room: 2, ratePerS: 500 }),
  'closed-direct': chat({ people: 200, room: 2 }),
  'closed-group10': chat({ people: 100, room: 10 }),
  'closed-group50': chat({ people: 100, room: 50 }),
};

const USAGE = `Measures this machine: a platform in a temporary folder, a generator in a process of its own.

  npm run bench -- [--json] [--repeats N] [--quick] [SCENARIO …]

  Scenarios: ${Object.keys(SCENARIOS).join(', ')} (default: all)
  --repeats N   runs of each, interleaved; medians are shown (default 3)
  --quick       short runs, to see that it works

Sockets connect to the realtime port itself, not through the proxy. Receipts, projector and
encryption are on. A run counts only with nothing lost, doubled, out of order or refused, and the
read models less than 1 s behind at its end.`;

const middle = (runs: readonly Figures[]): Figures => {
  const names = Object.keys(runs[0] ?? {});
  return Object.fromEntries(
    names.map((name) => {
      const values = runs.map((run) => run[name] ?? 0);
      return [
        name,
        values.every((value) => typeof value === 'number')
          ? median(values)
          : values.every((value) => value === true),
      ];
    }),
  );
};

/** One run of a scenario on a platform of its own. */
const once = async (name: string, quick: boolean): Promise<Figures> => {
  const platform = await startPlatform({ env: { RATE_LIMIT_COMMANDS: 'false' } });
  const [busy, began] = [busySeconds(), performance.now()];
  try {
    const figures = (await SCENARIOS[name]?.(platform, quick)) ?? {};
    const cores = (busySeconds() - busy) / ((performance.now() - began) / 1_000);
    return { ...figures, busyCores: Number(cores.toFixed(2)), load: loadNow() };
  } finally {
    await platform.stop();
  }
};

const measure = async (names: readonly string[], repeats: number, quick: boolean) => {
  const results = new Map<string, Figures[]>(names.map((name) => [name, []]));
  for (let repeat = 1; repeat <= repeats; repeat++) {
    for (const name of names) {
      const figures = await once(name, quick);
      results.get(name)?.push(figures);
      console.error(`${name} ${repeat}/${repeats} ${JSON.stringify(figures)}`);
    }
  }
  return Object.fromEntries([...results].map(([name, runs]) => [name, middle(runs)]));
};

const run = async (): Promise<number> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      repeats: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  const chosen = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
  const unknown = chosen.filter((name) => !(name in SCENARIOS));
  const repeats = Number(values.repeats);
  if (unknown.length > 0) console.error(`There is no scenario ${unknown.join(', ')}.\n`);
  const isUsable = unknown.length === 0 && Number.isInteger(repeats) && repeats > 0;
  if (values.help || !isUsable) {
    console.log(USAGE);
    return values.help ? 0 : 1;
  }
  const medians = await measure(chosen, repeats, values.quick);
  console.log(values.json ? JSON.stringify(medians) : JSON.stringify(medians, null, 2));
  return 0;
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
