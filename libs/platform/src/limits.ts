import type { Limit } from './rate-limiter.js';

/** A row of the table: what is counted, whom it protects, how much is allowed. */
type Row = Readonly<{
  /** What acts are counted by. */
  per: string;
  /** What the limit protects, as the documentation has it. */
  protects: string;
  /** Acts that may come at once. */
  burst: number;
  /** Seconds until a used-up burst is whole again. */
  fillS: number;
  /** Never more than the burst in any `fillS` seconds; else the burst refills while it is used. */
  isStrict?: true;
  onStoreDown: 'open' | 'closed';
  /** Holds also where RATE_LIMIT_COMMANDS is off. */
  isAlways?: true;
}>;

const DEVICE = 'device';
const ADDRESS = 'address';
const NUMBER = 'phone number';
const ALL = 'everybody together';

/**
 * Every limit of the product. What guards logins and money fails closed, what guards only our own
 * capacity fails open (finding R13).
 */
export const LIMITS = {
  commands: {
    per: DEVICE,
    protects: 'the log from one device that writes without end',
    burst: 60,
    fillS: 6,
    onStoreDown: 'open',
  },
  marks: {
    per: DEVICE,
    protects: 'the log from one device that marks without end',
    burst: 60,
    fillS: 6,
    onStoreDown: 'open',
  },
  'invite-joins': {
    per: 'person',
    protects: 'groups from who guesses links (abuse 92)',
    burst: 10,
    fillS: 60,
    onStoreDown: 'closed',
  },
  forwards: {
    per: 'person',
    protects: 'people from what goes round: so many conversations at once',
    burst: 20,
    fillS: 60,
    onStoreDown: 'open',
  },
  'frequent-forwards': {
    per: 'person',
    protects: 'people from what has gone through five hands already: one conversation at once',
    burst: 1,
    fillS: 10,
    onStoreDown: 'open',
  },
  reactions: {
    per: DEVICE,
    protects: 'a conversation from one device that reacts without end',
    burst: 30,
    fillS: 6,
    onStoreDown: 'open',
  },
  resumes: {
    per: DEVICE,
    protects: 'the read models from a device that asks for page after page',
    burst: 60,
    fillS: 6,
    onStoreDown: 'open',
  },
  events: {
    per: DEVICE,
    protects: 'the socket door from floods; who exceeds it is cut off (abuse 47)',
    burst: 600,
    fillS: 6,
    onStoreDown: 'open',
  },
  'unknown-events': {
    per: 'socket',
    protects: 'the socket door from guessing; who exceeds it is cut off (abuse 43)',
    burst: 20,
    fillS: 60,
    onStoreDown: 'open',
    isAlways: true,
  },
  handshakes: {
    per: ADDRESS,
    protects: 'the socket door; an office behind one address comes back at once',
    burst: 500,
    fillS: 5,
    onStoreDown: 'open',
  },
  connects: {
    per: 'person',
    protects: 'the socket door; ten devices, each with a poor connection',
    burst: 30,
    fillS: 15,
    onStoreDown: 'open',
  },
  'code-resend': {
    per: NUMBER,
    protects: 'a person from being sent code after code (abuse 74)',
    burst: 1,
    fillS: 30,
    isStrict: true,
    onStoreDown: 'closed',
  },
  'code-hourly': {
    per: NUMBER,
    protects: 'a person from codes all day, and each number from 5 tries a code (abuse 74)',
    burst: 5,
    fillS: 3_600,
    isStrict: true,
    onStoreDown: 'closed',
  },
  'code-address': {
    per: ADDRESS,
    protects: 'numbers from one address that asks for codes of many (abuses 71, 75)',
    burst: 30,
    fillS: 3_600,
    onStoreDown: 'closed',
  },
  'guess-address': {
    per: ADDRESS,
    protects: 'accounts from one address that guesses at the codes of many (abuse 71)',
    burst: 60,
    fillS: 600,
    onStoreDown: 'closed',
  },
  'guess-all': {
    per: ALL,
    protects: 'accounts from many addresses that guess; 3 × an evening’s logins (abuse 71)',
    burst: 3_000,
    fillS: 50,
    onStoreDown: 'closed',
  },
  'sms-prefix': {
    per: 'first digits of the number (country and three more)',
    protects: 'the bill from pumping: many numbers of one range (abuse 75)',
    burst: 100,
    fillS: 3_600,
    onStoreDown: 'closed',
  },
  'sms-all': {
    per: ALL,
    protects: 'the bill: messages of a day, whoever asked (abuse 75)',
    burst: 20_000,
    fillS: 86_400,
    isStrict: true,
    onStoreDown: 'closed',
  },
  exports: {
    per: 'person',
    protects: 'the log from a person who has all of their data written down again and again',
    burst: 3,
    fillS: 86_400,
    isStrict: true,
    onStoreDown: 'closed',
  },
} as const satisfies Readonly<Record<string, Row>>;

/** The name of a limit. */
export type LimitName = keyof typeof LIMITS;

/** What the setting LIMITS changes, by the limit's name. */
export type LimitChanges = Readonly<Partial<Record<LimitName, Allowance>>>;
type Allowance = Readonly<{ burst: number; fillS: number }>;

const CHANGE = /^(?<name>[\w-]+):(?<burst>\d{1,7})\/(?<fillS>\d{1,7}(?:\.\d{1,3})?)$/u;
/** Whether there is a limit of this name. */
export const isLimitName = (name: string): name is LimitName => Object.hasOwn(LIMITS, name);

/**
 * Reads `name:BURST/SECONDS,…`. What cannot be read is told to `complain`, with what would do.
 */
export const readLimitChanges = (
  written: string,
  complain: (message: string) => void,
): LimitChanges => {
  const changes: Partial<Record<LimitName, Allowance>> = {};
  const parts = written.split(',').map((part) => part.trim());
  for (const part of parts.filter((each) => each !== '')) {
    const { name = '', burst, fillS } = CHANGE.exec(part)?.groups ?? {};
    const change = { burst: Number(burst), fillS: Number(fillS) };
    if (!(change.burst > 0 && change.fillS > 0))
      complain(`“${part}” is not NAME:BURST/SECONDS, such as code-hourly:10/3600.`);
    else if (!isLimitName(name))
      complain(`There is no limit “${name}”; there are ${Object.keys(LIMITS).join(', ')}.`);
    else if (changes[name]) complain(`The limit “${name}” is set twice.`);
    else changes[name] = change;
  }
  return changes;
};

/** What of the settings changes limits. */
export type LimitSettings = Readonly<{ LIMITS: LimitChanges; RATE_LIMIT_COMMANDS: boolean }>;

/** A limit as the settings have it; undefined where they turn it off. */
export const limitOf = (settings: LimitSettings, name: LimitName): Limit | undefined => {
  const row: Row = LIMITS[name];
  if (!settings.RATE_LIMIT_COMMANDS && !row.isAlways) return undefined;
  const { burst, fillS } = settings.LIMITS[name] ?? row;
  const { onStoreDown, isStrict = false } = row;
  return { name, burst, fillS, isStrict, onStoreDown };
};

const DOCUMENT_HEAD = `# Limits

Every limit, from the one table in \`libs/platform/src/limits.ts\`
(\`npm run limits\` writes this page; a test keeps it current).
Who exceeds one is refused with \`rate_limited\`: HTTP 429 with \`Retry-After\`,
on the socket \`retryAfterMs\`.

A limit lets a **burst** through at once. Where it is *strict*, there are never more than the burst
in any such span of seconds; where not, the burst refills steadily while it is used (a token
bucket). With \`REDIS_URL\` all processes count together. While Redis is down, an *open* limit is
counted by each process for itself, a *closed* one refuses everything. Without \`REDIS_URL\` each
process counts for itself.

The setting \`LIMITS=NAME:BURST/SECONDS,…\` changes limits, such as
\`LIMITS=code-hourly:10/3600,commands:120/6\`. \`RATE_LIMIT_COMMANDS=false\` turns them off (for
benchmarks), but for those marked *always*.

`;

/** `docs/reference/limits.md`: the table, for people. */
export const limitsDocument = (): string => {
  const rows = Object.entries<Row>(LIMITS).map(([name, row]) => {
    const kind = [row.isStrict ? 'strict' : 'bucket', ...(row.isAlways ? ['always'] : [])];
    return [
      `\`${name}\``,
      row.per,
      row.protects,
      `${row.burst} / ${row.fillS} s`,
      kind.join(', '),
      row.onStoreDown,
    ];
  });
  const head = ['limit', 'counted by', 'protects', 'burst', 'kind', 'Redis down'];
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(' | ')} |\n`;
  const rule = widths.map((width) => '-'.repeat(width));
  return DOCUMENT_HEAD + [head, rule, ...rows].map(line).join('');
};
