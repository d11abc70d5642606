import { resolve } from 'node:path';
import { parseArgs, styleText } from 'node:util';
import { readConfig } from '#platform';
import { LOCAL_TEST_NUMBERS, startPlatform, type Platform } from './platform.js';

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
  const environment = {
    ...process.env,
    ...(values['data-dir'] === undefined ? {} : { DATA_DIR: values['data-dir'] }),
    ...(values.port === undefined ? {} : { PORT: values.port }),
  };
  return { ...values, config: readConfig(environment) };
};

const welcome = ({ urls, dataDir, parts }: Platform, ephemeral: boolean): string => {
  const embedded = [...parts.keys()].filter((name) => name.endsWith('-store'));
  const { prefix, code } = LOCAL_TEST_NUMBERS;
  const login = process.env['TEST_NUMBERS'] === undefined && embedded.includes('event-store');
  const post = (path: string, body: string) =>
    `    curl -s ${urls.public}${path} -H 'content-type: application/json' -d '${body}'`;
  return [
    '',
    `Scripta is up at ${urls.public}`,
    '',
    `  API and its description   ${urls.public}/docs`,
    `  Socket (Socket.IO)        ${urls.public}/socket.io`,
    `  Health                    ${urls.public}/readyz`,
    `  Data                      ${dataDir}${ephemeral ? ' (gone when Scripta ends)' : ''}`,
    `  Log and documents         ${embedded.length > 0 ? `embedded: ${embedded.join(', ')}` : 'your own servers'}`,
    '',
    login
      ? `  Log in: numbers that begin with ${prefix} always have the code ${code}; for all others it is printed here.`
      : '  Log in: the code for a phone number is printed here.',
    post('/v1/auth/codes', `{"phone":"${prefix}0100001"}`),
    post(
      '/v1/auth/tokens',
      `{"requestId":"…","code":"${code}","name":"Ada","device":{"name":"laptop","platform":"curl"}}`,
    ),
    '',
    '  Ctrl-C ends it.',
    '',
  ].join('\n');
};

const run = async (): Promise<void> => {
  const { ephemeral, help, config } = options();
  if (help) {
    process.stdout.write(`${USAGE}\n`);
    return;
  }
  process.stdout.write('Starting Scripta …\n');
  const platform = await startPlatform({
    ...(ephemeral ? {} : { dataDir: resolve(config.DATA_DIR) }),
    port: config.PORT,
    usualPorts: true,
    print,
  });
  let ending = false;
  const end = (): void => {
    if (ending) return;
    ending = true;
    process.stdout.write('Ending: doors first, then the projector, then the stores …\n');
    platform.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  process.stdout.write(welcome(platform, ephemeral));
};

run().catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error);
  const isUsage =
    error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE');
  console.error(isUsage ? `${message}\n\n${USAGE}` : message);
  process.exit(1);
});
