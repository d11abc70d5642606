import { parseArgs } from 'node:util';
import type { Config } from '#platform';

/** What the tool can do; the first lines are what it is asked for most. */
export const USAGE = `npm run audit -- COMMAND [OPTIONS]
Looks into a log and a running platform: what was said, when, by whom, and that nobody altered it.

Proof
  verify                 the log against every signed head in it
  verify-export FILE     an export of the log; needs no platform
  verify-proof FILE      the proof of a conversation, JSON or page; needs no platform
    --key K              the public key, or a file with it (default: that of DATA_DIR)
    --heads FILE         heads that were published elsewhere; all must be met
    --chain STREAM       also tells that stream's chain after its last event
  export --out FILE      the whole log with its heads, for verify-export (--purpose)
  prove CONVERSATION     a conversation with inclusion proofs; --html for a page (--purpose)
    --out FILE           where to; default is the terminal
  reseal                 the tree anew, after a backup was restored on purpose (--purpose)

Replay (all of these need --purpose, and are facts of the log themselves)
  streams                streams in the order of their beginning
  replay                 events in the order of the log
  tail                   the same, from now on, until interrupted
  show STREAM SEQ        one event; or show POSITION
    --stream S           of one stream, or of all that begin with S where it ends with *
    --type T             of one type
    --person U           in which a person has a part
    --conversation C     of one conversation, marks included
    --correlation ID     that one command or delivery caused
    --since T, --until T between times (RFC 3339); --from P, --to P between positions
    --limit N, --cursor  a page, and the one after
  state STREAM           what was true: of a conversation or a user-, audience- or claim- stream
    --seq N, --at P, --time T   as of a place in the stream, the log, or a time
    --member U           of a conversation: membership, role, marks and badge of a person
    --members            the same of everybody
    --from-zero          without a snapshot
  diff STREAM A B        what differs between two positions of the log
  compare                folds all read models from zero and compares them with the live ones
    --view NAME          only this one (again for more)

  --purpose TEXT         what an auditor looks for; --as NAME who looks (default: the user)
  --open                 shows sealed content, for who holds the keys

Deliveries
  deliveries MESSAGE     who got a message, when, by which path, and who read it
  trace COMMAND_ID       from a command to everything it caused
    --user U             its author; without, the whole log is searched for it
  badges                 unread counts as shown against those that follow from the log
    --user U             of one person
    --explain            which messages make the badges of --user, and why
    --repair             replays those people there where a badge is wrong

  --json                 results as JSON
EVENTSTORE_URL, MONGODB_URL and DATA_DIR say which platform, as for npm start.
Ends with code 1 where something is wrong, 2 where it was not understood.`;

const TEXTS = [
  'user',
  'key',
  'heads',
  'chain',
  'out',
  'stream',
  'type',
  'person',
  'conversation',
  'correlation',
  'since',
  'until',
  'from',
  'to',
  'limit',
  'cursor',
  'seq',
  'at',
  'time',
  'member',
  'purpose',
  'as',
] as const;
const FLAGS = [
  'explain',
  'repair',
  'json',
  'html',
  'members',
  'from-zero',
  'open',
  'help',
] as const;

type Named = { type: 'string' } | { type: 'boolean'; default: boolean };

/** What was asked for beside the command. */
export type Options = Readonly<
  Partial<Record<(typeof TEXTS)[number], string>> &
    Record<(typeof FLAGS)[number], boolean> & { view: readonly string[] }
>;

/** A command's arguments, options and settings. */
export type Asked = Readonly<{ rest: readonly string[]; options: Options; config: Config }>;

/** Reads the command line. Throws for an option that there is not. */
export const readOptions = (
  args?: readonly string[],
): Readonly<{ command: string; rest: readonly string[]; options: Options }> => {
  const named: Record<string, Named> = {};
  for (const name of TEXTS) named[name] = { type: 'string' };
  for (const name of FLAGS) named[name] = { type: 'boolean', default: false };
  const { values, positionals } = parseArgs({
    ...(args ? { args: [...args] } : {}),
    allowPositionals: true,
    options: { ...named, view: { type: 'string', multiple: true, default: [] } },
  });
  const [command = '', ...rest] = positionals;
  // Every name above is there with its own kind of value.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return { command, rest, options: values as unknown as Options };
};

/** A whole number that an option gives. Throws for another text. */
export const numberIn = (options: Options, name: 'seq' | 'at' | 'from' | 'to' | 'limit') => {
  const text = options[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new Error(`--${name} takes a whole number, not ${text}.`);
};
