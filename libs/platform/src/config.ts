import { z } from 'zod';
import { readLimitChanges } from './limits.js';

const port = (standard: number) => z.coerce.number().int().min(0).max(65_535).default(standard);
const text = (standard: string) => z.string().default(standard);
const count = (standard: number) => z.coerce.number().int().positive().default(standard);

/** Every setting, its meaning and its default: the one source of `.env.example`. */
export const configSchema = z.object({
  DATA_DIR: text('.data').describe('Folder of everything the platform keeps on this machine.'),
  EVENTSTORE_URL: text('esdb://127.0.0.1:2113?tls=false').describe(
    'EventStoreDB. Set for `npm start`, that server is used and none is started.',
  ),
  MONGODB_URL: text('mongodb://127.0.0.1:27017').describe(
    'MongoDB. Set for `npm start`, that server is used and none is started.',
  ),
  REDIS_URL: text('').describe(
    'Redis, for what processes share and may lose. Empty: each process limits by itself.',
  ),
  PORT: port(3000).describe('The one public port: REST, socket, docs.'),
  COMMAND_API_PORT: port(3001).describe('Where the REST door listens on loopback.'),
  REALTIME_PORT: port(3002).describe('Where the socket door listens on loopback.'),
  PROJECTOR_PORT: port(3003).describe('Where the projector answers /readyz on loopback.'),
  AUDITOR_PORT: port(3004).describe('Where the auditor answers /audit and /readyz on loopback.'),
  AUDITOR: z
    .stringbool()
    .default(true)
    .describe('Whether `npm start` also runs the auditor, which checks deliveries.'),
  HEADS_EVERY_S: count(10).describe(
    'Seconds between two signed heads over the log, while something is written.',
  ),
  HEADS_FILE: text('').describe(
    'File that signed heads are also written to, a line each; on a machine that others keep.',
  ),
  HEADS_URL: text('').describe('URL that signed heads are also sent to, by POST as JSON.'),
  PUBLIC_URL: text('http://127.0.0.1:3000').describe('Base of links in answers; never `Host`.'),
  ALLOWED_ORIGINS: text('').describe(
    'Comma-separated browser origins beside PUBLIC_URL that may open a socket.',
  ),
  MASTER_KEY: text('').describe(
    'Base64 of 32 bytes that wrap all keys. Empty: made once in DATA_DIR/keys/master.key.',
  ),
  ACCESS_TOKEN_TTL_S: count(600).describe('Seconds an access token lives.'),
  ACCESS_KEY_ROTATION_S: count(2_592_000).describe(
    'Seconds a signing key is used for; it is believed for as long again.',
  ),
  ACCESS_KEY_GENERATION: count(1).describe(
    'Raise it on all processes, and every access token from before is refused at once.',
  ),
  REFRESH_TOKEN_TTL_S: count(5_184_000).describe(
    'Seconds after which a session ends that was not refreshed.',
  ),
  PLACE_HEADER: text('').describe(
    'Header of a trusted proxy with the coarse place of a caller, such as cf-ipcountry.',
  ),
  REQUIRE_API_KEY: z
    .stringbool()
    .default(false)
    .describe('Whether calls of /v1 must carry a valid X-Api-Key (npm run api-keys).'),
  SMS_URL: text('').describe(
    'Where codes are posted to a gateway for text messages. Empty: they are printed.',
  ),
  SMS_TEXT: text('{code} is your Scripta code.').describe('The text message.'),
  SMS_BODY: text('{"to":"{to}","text":"{text}","id":"{id}"}').describe(
    'JSON that the gateway takes.',
  ),
  SMS_SECRET: text('').describe(
    'Signs what is posted: see docs/how-to/connect-your-sms-gateway.md.',
  ),
  SMS_AUTHORIZATION: text('').describe('The header Authorization that the gateway wants.'),
  SMS_COUNTRIES: text('').describe(
    'Comma-separated countries (ISO 3166) that are sent to, such as DE,AT. Empty: all.',
  ),
  TEST_NUMBERS: text('').describe(
    'PREFIX:CODE: phone numbers that begin with PREFIX always get CODE and no message is sent.',
  ),
  RATE_LIMIT_COMMANDS: z
    .stringbool()
    .default(true)
    .describe('Whether the limits of docs/reference/limits.md hold; off for benchmarks only.'),
  LIMITS: z
    .string()
    .default('')
    .transform((written, context) =>
      readLimitChanges(written, (message) => context.addIssue({ code: 'custom', message })),
    )
    .describe('NAME:BURST/SECONDS,…: limits other than docs/reference/limits.md has them.'),
  RECEIPT_TICK_MS: count(200).describe('Milliseconds of marks that one receipts event gathers.'),
  GROUP_MEMBERS_MAX: count(256).describe(
    'Members of one group; 5,000 at most, larger audiences are broadcasts.',
  ),
  FANOUT_TOLD_MEMBERS_MAX: count(32).describe(
    'Members up to which a conversation’s marks are told live, one by one.',
  ),
  FANOUT_DELIVERED_MEMBERS_MAX: count(1_024).describe(
    'Members up to which delivered marks are kept; read marks always are.',
  ),
  SPANS_TICK_MS: count(1_000).describe(
    'Milliseconds between two writes of what devices were told and acknowledged.',
  ),
  SPANS_PER_TICK_MAX: count(1_000).describe(
    'Devices written at each of them; the others wait for the next.',
  ),
  SPANS_KEEP_DAYS: count(30).describe('Days that the delivery ledger is kept by the auditor.'),
  STATE_CACHE_MB: count(128).describe('Memory for states of streams, per process, in MiB.'),
  LOG_LEVEL: z.enum(['error', 'warn', 'log', 'debug']).default('log'),
});

/** The settings of one process. */
export type Config = z.infer<typeof configSchema>;

/** Reads the settings of an environment. Throws with the name of each bad one and what it takes. */
export const readConfig = (environment: Readonly<Record<string, string | undefined>>): Config => {
  const read = configSchema.safeParse(environment);
  if (read.success) return read.data;
  throw new Error(`Bad configuration:\n${z.prettifyError(read.error)}`);
};

/** `.env.example`: every setting with its meaning, as the schema has it. */
export const exampleEnvironment = (): string =>
  Object.entries(configSchema.shape)
    .map(([name, setting]) => {
      const meaning = setting.description ? `# ${setting.description}\n` : '';
      const standard = setting.def.type === 'default' ? String(setting.def.defaultValue) : '';
      return `${meaning}#${name}=${standard}\n`;
    })
    .join('\n');
