import { parseArgs } from 'node:util';
import { benchChat, type Chat } from './chat.js';
import { summaryOf, type Measured, type Scale, type Scenario, type Summary } from './figures.js';
import { benchGrowth, benchHerd, benchIdle, benchRebuild } from './large.js';
import { benchAppends, benchCatchUp, benchDisk, benchFinds, benchUpserts } from './stores.js';

/** Runs of each scenario, where it names no number of its own. */
const REPEATS = 3;

const chat = (what: string, of: Chat): Scenario => ({
  what,
  run: (scale) => benchChat(of, scale),
});

const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'disk-fsync': { what: 'one durable write of this disk', run: benchDisk },
  'log-append': {
    what: 'durable appends of one event, 256 under way, by @eventstore/db-client alone',
    run: (scale) => benchAppends(1, scale),
  },
  'log-append-50': {
    what: 'appends of 50 events, 16 under way, by @eventstore/db-client alone',
    run: (scale) => benchAppends(50, scale),
  },
  'log-catchup': {
    what: 'catch-up from $all by @eventstore/db-client alone',
    run: benchCatchUp,
  },
  'store-upsert': {
    what: 'upserts in bulks of 500 into history with its indexes, by the mongodb driver alone',
    run: benchUpserts,
  },
  'store-find': {
    what: 'pages of 50 by an index of history, by the mongodb driver alone',
    run: benchFinds,
  },
  'open-200': chat('200 messages/s, 200 people two by two', {
    people: 200,
    room: 2,
    ratePerS: 200,
  }),
  'open-500': chat('500 messages/s, 200 people two by two', {
    people: 200,
    room: 2,
    ratePerS: 500,
  }),
  'open-200-group50': chat('200 messages/s in groups of 50', {
    people: 200,
    room: 50,
    ratePerS: 200,
  }),
  logins: chat('200 messages/s, and 50 logins/s by code beside them', {
    people: 200,
    room: 2,
    ratePerS: 200,
    loginsPerS: 50,
  }),
  'closed-direct': chat('as fast as it goes, 200 people two by two', { people: 200, room: 2 }),
  'closed-group10': chat('as fast as it goes, 200 people in groups of 10', {
    people: 200,
    room: 10,
  }),
  'closed-group50': chat('as fast as it goes, 200 people in groups of 50', {
    people: 200,
    room: 50,
  }),
  rebuild: { what: 'all read models anew from the log', run: benchRebuild },
  'idle-memory': {
    what: '2,000 idle connections with 20 conversations each',
    repeats: 1,
    run: benchIdle(2_000),
  },
  'idle-memory-10000': {
    what: 'the same with 10,000',
    repeats: 1,
    run: benchIdle(10_000),
  },
  herd: {
    what: '5,000 connections lost with their node, coming back over 10 s',
    repeats: 1,
    run: benchHerd,
  },
  growth: {
    what: 'a message, and the first of a cold process, at 1,000 to 1,000,000 of history',
    repeats: 1,
    run: benchGrowth,
  },
};

const USAGE = `Measures Scripta on this machine.

  npm run bench -- [--json] [--quick] [--repeats N] [SCENARIO …]

${Object.entries(SCENARIOS)
  .map(([name, { what }]) => `  ${name.padEnd(16)} ${what}`)
  .join('\n')}

  --repeats N   runs of each scenario, interleaved; medians are shown (default ${REPEATS})
  --quick       short runs, to see that everything works
  --json        ends with one JSON object on a line

Without a scenario all are run. Each run has a platform, or a server, of its own in a temporary
folder. The generator is a process of its own; it speaks to the socket door's own port, not through
the public one. Receipts, projector and encryption are on. A run counts only if nothing was lost,
doubled, out of order or refused, and the read models are less than 1 s behind at its end. With
EVENTSTORE_URL or MONGODB_URL set, log-* and store-* measure those servers.`;

const line = (name: string, { figures, faults }: Measured): string =>
  [
    name,
    ...Object.entries(figures).map(([figure, value]) => `${figure} ${value}`),
    ...(faults.length > 0 ? [`DOES NOT COUNT: ${faults.join(', ')}`] : []),
  ].join('  ');

/** One run; what breaks it off is its fault. */
const once = async (scenario: Scenario, scale: Scale): Promise<Measured> => {
  try {
    return await scenario.run(scale);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { figures: {}, faults: [message] };
  }
};

const measure = async (
  chosen: readonly (readonly [string, Scenario])[],
  repeats: number | undefined,
  scale: Scale,
): Promise<Readonly<Record<string, Summary>>> => {
  const runs = new Map<string, Measured[]>(chosen.map(([name]) => [name, []]));
  const roundsOf = (scenario: Scenario): number =>
    repeats ?? (scale.isQuick ? 1 : (scenario.repeats ?? REPEATS));
  const rounds = Math.max(...chosen.map(([, scenario]) => roundsOf(scenario)));
  // Interleaved, so that what the machine does beside touches all alike.
  for (let round = 1; round <= rounds; round += 1)
    for (const [name, scenario] of chosen) {
      if (round > roundsOf(scenario)) continue;
      const measured = await once(scenario, scale);
      runs.get(name)?.push(measured);
      console.error(line(`${name} ${round}/${roundsOf(scenario)}`, measured));
    }
  return Object.fromEntries([...runs].map(([name, measured]) => [name, summaryOf(measured)]));
};

const tell = (summaries: Readonly<Record<string, Summary>>): void => {
  for (const [name, { medians, counted, runs }] of Object.entries(summaries)) {
    console.log(`\n${name} (${counted} of ${runs.length} runs count)`);
    for (const [figure, value] of Object.entries(medians))
      console.log(`  ${figure.padEnd(32)} ${value}`);
  }
};

const options = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      repeats: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const repeats = values.repeats === undefined ? undefined : Number(values.repeats);
  if (repeats !== undefined && !(Number.isInteger(repeats) && repeats > 0))
    throw new Error(`--repeats takes a number from 1, not ${values.repeats}.`);
  const names = positionals.length > 0 ? positionals : Object.keys(SCENARIOS);
  const chosen = names.map((name) => {
    const scenario = SCENARIOS[name];
    if (!scenario) throw new Error(`There is no scenario ${name}.\n\n${USAGE}`);
    return [name, scenario] as const;
  });
  return { ...values, repeats, chosen };
};

const run = async (): Promise<number> => {
  const { help, json, quick, repeats, chosen } = options();
  if (help) {
    console.log(USAGE);
    return 0;
  }
  const summaries = await measure(chosen, repeats, { isQuick: quick });
  if (json) console.log(JSON.stringify(summaries));
  else tell(summaries);
  return Object.values(summaries).every(({ counted }) => counted > 0) ? 0 : 1;
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
