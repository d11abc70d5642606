import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { openPorts } from '#commands';
import { API_KEY_SCOPES, ApiKeys, readConfig, type ApiKeyScope } from '#platform';

const USAGE = `npm run api-keys -- COMMAND [--json]
Keys of calling applications (X-Api-Key). REQUIRE_API_KEY=true has the platform ask for one.
  create NAME [--scopes login,chat]   makes a key and shows it, for the only time
  list                                all keys: scopes, last use, whether revoked
  rotate ID [--overlap SECONDS]       a new secret; the former is good for a day more
  revoke ID                           ends it everywhere within 5 seconds
Scopes: login (sign people in), chat (speak for people who are signed in).`;

/** Seconds for which both secrets of a rotated key are good. */
const OVERLAP_S = 86_400;

type Values = Readonly<{ scopes: string; overlap: string; json: boolean }>;

const isScope = (scope: string): scope is ApiKeyScope =>
  API_KEY_SCOPES.some((known) => known === scope);

const scopesOf = (written: string): readonly ApiKeyScope[] =>
  written.split(',').map((part) => {
    const scope = part.trim();
    if (!isScope(scope))
      throw new Error(`There is no scope “${scope}”; there are ${API_KEY_SCOPES.join(', ')}.`);
    return scope;
  });

const secondsOf = (written: string): number => {
  const seconds = Number(written);
  if (Number.isSafeInteger(seconds) && seconds >= 0) return seconds;
  throw new Error(`--overlap takes whole seconds, not “${written}”.`);
};

const tell = ({ json }: Values, answer: object, line: string): void =>
  console.log(json ? JSON.stringify(answer) : line);

const COMMANDS: Readonly<
  Record<string, (keys: ApiKeys, argument: string, values: Values) => Promise<void>>
> = {
  create: async (keys, name, values) => {
    if (name === '') throw new Error('Name the application: npm run api-keys -- create NAME');
    const made = await keys.create(name, scopesOf(values.scopes));
    tell(values, made, `${made.key}\nIts id is ${made.id}. It is not shown again.`);
  },
  list: async (keys, _, values) => {
    const all = (await keys.list()).map(({ _id: id, secrets: _secrets, ...key }) => ({
      id,
      ...key,
    }));
    if (values.json) console.log(JSON.stringify(all));
    else if (all.length === 0) console.log('There are no keys.');
    else console.table(all.map((key) => ({ ...key, scopes: key.scopes.join(',') })));
  },
  rotate: async (keys, id, values) => {
    const overlapS = secondsOf(values.overlap);
    const key = await keys.rotate(id, overlapS);
    tell(values, { id, key }, `${key}\nThe former secret is good for ${overlapS} s more.`);
  },
  revoke: async (keys, id, values) => {
    await keys.revoke(id);
    tell(values, { id, revoked: true }, `${id} is revoked.`);
  },
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scopes: { type: 'string', default: API_KEY_SCOPES.join(',') },
      overlap: { type: 'string', default: String(OVERLAP_S) },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [name = '', argument = ''] = positionals;
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (values.help || !command) {
    console.log(USAGE);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const { ports, close } = await openPorts(readConfig(process.env));
  try {
    await command(new ApiKeys(ports.operations, ports), argument, values);
  } finally {
    await close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
