import { parseArgs } from 'node:util';
import { LOCAL_TEST_NUMBERS, startPlatform, type Platform } from '../start/platform.js';
import { beginChaos, type Harm } from './chaos.js';
import { gather, type Actor } from './cast.js';
import { readHistory, type Message } from './formats.js';
import { play, type Room } from './play.js';
import { prove } from './proof.js';

const USAGE = `Sends a real chat history through Scripta and proves that nothing was lost.

  npm run replay -- FILE [--url URL] [--test-numbers PREFIX:CODE] [--json]
  npm run replay -- FILE --chaos [--seed N] [--json]

  FILE             JSON Lines ({"id","room","author","kind","text"}), or WhatsApp's Android export
  --url URL        a running platform; without it one is started in a temporary folder.
                   It has to know test numbers, and must not limit commands or logins:
                   TEST_NUMBERS=${LOCAL_TEST_NUMBERS.prefix}:${LOCAL_TEST_NUMBERS.code} RATE_LIMIT_COMMANDS=false
  --test-numbers   what TEST_NUMBERS is there (default: ${LOCAL_TEST_NUMBERS.prefix}:${LOCAL_TEST_NUMBERS.code})
  --chaos          while messages are sent, parts of the platform are killed (kill -9) and clients'
                   connections are cut, at random; only on a platform that is started here
  --seed N         what --chaos draws from; printed
  --json           ends with one JSON object on a line

Exit code 1 and a list of differences if anything is off. A second run changes nothing.`;

/** Differences printed; the rest is counted. */
const DIFFERENCES_MAX = 50;

/** The seed of a run that is given none: 32 bits. */
const DRAWN_SEED = Math.floor(Math.random() * 2 ** 32);

/** What a shell gives for a program that Ctrl-C ended. */
const INTERRUPTED = 130;

const options = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      'test-numbers': { type: 'string' },
      json: { type: 'boolean', default: false },
      chaos: { type: 'boolean', default: false },
      seed: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const { prefix, code } = LOCAL_TEST_NUMBERS;
  const [usedPrefix = prefix, usedCode = code] = values['test-numbers']?.split(':') ?? [];
  const seed = Number(values.seed ?? DRAWN_SEED);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes a number, not ${values.seed}.`);
  if (values.chaos && values.url !== undefined)
    throw new Error('--chaos kills processes, so it goes without --url.');
  return { ...values, seed, file: positionals[0], prefix: usedPrefix, code: usedCode };
};

/** Sends everything; with `--chaos` things are broken meanwhile, and run again at the end. */
const playing = async (
  messages: readonly Message[],
  cast: ReadonlyMap<string, Actor>,
  platform: Platform | undefined,
): Promise<Readonly<{ rooms: readonly Room[]; harm?: Harm }>> => {
  const { chaos: isWanted, seed } = options();
  if (!isWanted || !platform) return { rooms: await play(messages, cast) };
  const clients = [...cast.values()].map(({ client }) => client);
  const chaos = beginChaos(platform, clients, seed);
  try {
    const rooms = await play(messages, cast);
    return { rooms, harm: await chaos.end() };
  } catch (error) {
    await chaos.end();
    throw error;
  }
};

const tellHarm = ({ kills, cuts, killed }: Harm): void => {
  const parts = Object.entries(killed).map(([name, times]) => `${name} ${times}`);
  console.error(`${kills} kills (${parts.join(', ')}), ${cuts} connections cut.`);
};

const tellDifferences = (differences: readonly string[]): void => {
  for (const difference of differences.slice(0, DIFFERENCES_MAX)) console.error(difference);
  const more = differences.length - DIFFERENCES_MAX;
  if (more > 0) console.error(`… and ${more} more`);
};

const oldOnes = (rooms: readonly Room[]): string => {
  const old = rooms.flatMap(({ played }) => played).filter(({ isOld }) => isOld);
  return old.length > 0 ? `, ${old.length} of them there before` : '';
};

const replay = async (platform: Platform | undefined): Promise<boolean> => {
  const { file = '', url, prefix, code, json } = options();
  const messages = await readHistory(file);
  const at = url ?? platform?.urls.public ?? '';
  const began = performance.now();
  const cast = await gather({ url: at, prefix, code }, messages);
  const sending = performance.now();
  const { rooms, harm } = await playing(messages, cast, platform);
  const proof = await prove(rooms, cast);
  const seconds = Number(((performance.now() - began) / 1_000).toFixed(1));
  await Promise.all([...cast.values()].map(({ client }) => client.close()));
  if (harm) tellHarm(harm);
  const sent = rooms.reduce((sum, { played }) => sum + played.length, 0);
  tellDifferences(proof.differences);
  const { delivered, lost, duplicated, misordered } = proof;
  const sendingS = (performance.now() - sending) / 1_000;
  console.error(
    `${sent} messages in ${rooms.length} rooms by ${cast.size} people${oldOnes(rooms)}; ` +
      `${delivered} deliveries in ${sendingS.toFixed(1)} s. ` +
      (proof.differences.length === 0 ? 'Everything is as it should be.' : 'Something is off.'),
  );
  const figures = { sent, delivered, lost, duplicated, misordered, seconds };
  const { kills, cuts } = harm ?? {};
  if (json) console.log(JSON.stringify({ ...figures, ...(harm ? { kills, cuts } : {}) }));
  return proof.differences.length === 0;
};

const run = async (): Promise<number> => {
  const { file, help, url, chaos, seed } = options();
  if (help || file === undefined) {
    console.log(USAGE);
    return help ? 0 : 1;
  }
  if (url !== undefined) return (await replay(undefined)) ? 0 : 1;
  console.error('Starting a platform in a temporary folder …');
  if (chaos) console.error(`Chaos from seed ${seed}: --seed ${seed} draws the same again.`);
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => abort.abort());
  const platform = await startPlatform({
    env: { RATE_LIMIT_COMMANDS: 'false' },
    print: (part, line) => console.error(`${part} | ${line}`),
    signal: abort.signal,
  });
  abort.signal.addEventListener('abort', () => {
    platform.stop().then(
      () => process.exit(INTERRUPTED),
      () => process.exit(1),
    );
  });
  try {
    return (await replay(platform)) ? 0 : 1;
  } finally {
    await platform.stop();
  }
};

run().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    if (error instanceof Error && error.cause !== undefined) console.error(error.cause);
    process.exit(1);
  },
);
