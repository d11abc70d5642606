import { once } from 'node:events';
import { resolve } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { readConfig } from '#platform';
import { startPlatform, type Platform } from './platform.js';

const USAGE = `Starts Scripta on this machine.

  npm start -- [--data-dir DIR] [--port PORT] [--ephemeral]

  --data-dir DIR   where everything is kept (default: DATA_DIR, or .data)
  --port PORT      the one public port (default: PORT, or 3000)
  --ephemeral      keep nothing: a temporary folder that goes when Scripta ends
  --help           this text

With EVENTSTORE_URL and MONGODB_URL in the environment those servers are used and none
are started. .env.example lists every setting.`;

const COLOURS = ['cyan', 'green', 'magenta', 'yellow', 'blue'] as const;
const WIDTH = 'document-store'.length;

const seen: string[] = [];
const print = (part: string, line: string): void => {
  if (!seen.includes(part)) seen.push(part);
  const colour = COLOURS[seen.indexOf(part) % COLOURS.length] ?? 'cyan';
  const prefix = part.padEnd(WIDTH);
  const shown = process.stdout.isTTY ? styleText(colour, prefix) : prefix;
  process.stdout.write(`${shown} | ${line}\n`);
};

const options = () => {
  const { values } = parseArgs({
    options: {
      'data-dir': { type: 'string' },
      port: { type: 'string' },
      ephemeral: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.ephemeral && values['data-dir'] !== undefined)
    throw new Error('--ephemeral keeps nothing, so it goes without --data-dir.');
  return values;
};

const settings = (values: ReturnType<typeof options>) =>
  readConfig({
    ...process.env,
    ...(values['data-dir'] === undefined ? {} : { DATA_DIR: values['data-dir'] }),
    ...(values.port === undefined ? {} : { PORT: values.port }),
  });

const storesOf = ({ parts, urls }: Platform): string => {
  const log = parts.has('event-store') ? 'embedded' : 'your own EventStoreDB';
  const documents = parts.has('document-store') ? 'embedded' : 'your own MongoDB';
  return [
    `  Log                       ${log}, ${urls.eventstore}`,
    `  Read models               ${documents}, ${urls.mongodb}`,
  ].join('\n');
};

const loginOf = ({ urls, settings: { TEST_NUMBERS = '' } }: Platform): string => {
  const at = TEST_NUMBERS.lastIndexOf(':');
  const [prefix, code] = [TEST_NUMBERS.slice(0, at), TEST_NUMBERS.slice(at + 1)];
  const hasFixed = at > 0;
  const post = (path: string, body: string) =>
    `    curl -s ${urls.public}${path} -H 'content-type: application/json' -d '${body}'`;
  const phone = hasFixed ? `${prefix}0100001`.slice(0, '+12345678901'.length) : '+15550100001';
  return [
    hasFixed
      ? `  Log in: numbers that begin with ${prefix} always have the code ${code} (TEST_NUMBERS);\n` +
        '  no message is sent to any phone: the codes of all other numbers are printed here.'
      : '  Log in: no message is sent to a phone; its code is printed here.',
    post('/v1/auth/codes', `{"phone":"${phone}"}`),
    post(
      '/v1/auth/tokens',
      `{"requestId":"…","code":"${hasFixed ? code : '…'}","name":"Ada","device":{"name":"laptop","platform":"curl"}}`,
    ),
    '  and then with the accessToken of the answer:',
    `    curl -s ${urls.public}/v1/me -H 'authorization: Bearer …'`,
  ].join('\n');
};

const welcome = (platform: Platform, seconds: number, isEphemeral: boolean): string =>
  [
    '',
    `Scripta is up at ${platform.urls.public}, after ${seconds.toFixed(1)} s.`,
    '',
    `  API and its description   ${platform.urls.public}/docs`,
    `  Socket (Socket.IO)        ${platform.urls.public}/socket.io`,
    `  Health                    ${platform.urls.public}/readyz`,
    ...(platform.parts.has('auditor')
      ? [`  Shadow auditor            ${platform.urls.auditor}/audit`]
      : []),
    `  Data                      ${platform.dataDir}${isEphemeral ? ' (gone when Scripta ends)' : ''}`,
    storesOf(platform),
    '',
    loginOf(platform),
    '',
    '  Ctrl-C ends it.',
    '',
  ].join('\n');

/** Aborts at the first signal, and says so. */
const ending = (): AbortSignal => {
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (abort.signal.aborted) return;
      process.stdout.write('Ending: doors first, then the projector, then the stores …\n');
      abort.abort();
    });
  return abort.signal;
};

const run = async (): Promise<void> => {
  const values = options();
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  const config = settings(values);
  const began = performance.now();
  process.stdout.write('Starting Scripta …\n');
  const signal = ending();
  try {
    const platform = await startPlatform({
      ...(values.ephemeral ? {} : { dataDir: resolve(config.DATA_DIR) }),
      port: config.PORT,
      usualPorts: true,
      print,
      signal,
    });
    const seconds = (performance.now() - began) / 1_000;
    process.stdout.write(welcome(platform, seconds, values.ephemeral));
    if (!signal.aborted) await once(signal, 'abort');
    await platform.stop();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
};

run().then(
  () => process.exit(0),
  (error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const isUsage =
      error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE');
    console.error(isUsage ? `${message}\n\n${USAGE}` : message);
    process.exit(1);
  },
);
