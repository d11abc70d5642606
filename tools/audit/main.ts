import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { openPorts, type Ports } from '#commands';
import type { StoredEntry } from '#domain';
import { connectMongo, MongoViewSwitch, MongoViewWriter, readConfig } from '#platform';
import { Deliveries, type MemberDelivery } from '../../apps/command-api/src/deliveries.js';
import { Traces } from '../../apps/command-api/src/traces.js';
import { showProgress } from '../rebuild/progress.js';
import { BadgeAudit, type Audited, type Difference } from './audit-badges.js';
import { findCommand } from './find-command.js';
import { repair, type Repaired } from './repair.js';

const USAGE = `npm run audit -- COMMAND [OPTIONS]
Looks into a running platform: what became of messages and commands, and whether badges are right.
  deliveries MESSAGE    who got a message, when, by which path, and who read it
  trace COMMAND_ID      from a command to everything it caused
    --user U            its author; without, the whole log is searched for it
  badges                unread counts as shown against those that follow from the log
    --user U            of one person
    --explain           which messages make the badges of --user, and why
    --repair            replays those people there where a badge is wrong
  --json                the result as JSON
EVENTSTORE_URL, MONGODB_URL and DATA_DIR say which platform, as for npm start.
Ends with code 1 where a badge is wrong and was not repaired.`;

const PAGE_PEOPLE = 200;

type Values = Readonly<{
  user?: string | undefined;
  explain: boolean;
  repair: boolean;
  json: boolean;
}>;

const tellMember = ({ userId, state, deliveredAt, readAt, devices, isAuthor }: MemberDelivery) => {
  const times = [
    ...(deliveredAt === undefined ? [] : [`delivered ${deliveredAt}`]),
    ...(readAt === undefined ? [] : [`read ${readAt}`]),
  ].join(', ');
  console.log(`${userId}  ${isAuthor ? 'author' : state}  ${times}`);
  for (const { deviceId, state: there, attempts } of devices) {
    console.log(`  device ${deviceId}  ${there}`);
    for (const { at, path, result, reason = '', hadIt } of attempts)
      console.log(`    ${at}  ${path}  ${result} ${reason}${hadIt ? ' (it had arrived)' : ''}`);
  }
};

const deliveries = async (ports: Ports, messageId: string, { json }: Values): Promise<void> => {
  const [message] = await ports.views.get<StoredEntry>('history', [messageId]);
  if (message?.type !== 'message.sent') throw new Error(`There is no message ${messageId}.`);
  const ledger = new Deliveries(ports);
  let after: string | undefined;
  do {
    const { items, cursor } = await ledger.page(message, PAGE_PEOPLE, after);
    if (json) for (const item of items) console.log(JSON.stringify(item));
    else for (const item of items) tellMember(item);
    after = cursor;
  } while (after !== undefined);
};

const trace = async (ports: Ports, commandId: string, { user }: Values): Promise<void> => {
  const traces = new Traces(ports, new Deliveries(ports));
  if (user !== undefined) {
    console.log(JSON.stringify(await traces.of(user, commandId), undefined, 2));
    return;
  }
  const first = await findCommand(ports.store, commandId);
  if (!first) throw new Error(`No event of the log came of command ${commandId}.`);
  console.log(JSON.stringify(await traces.from(first, commandId), undefined, 2));
};

const explain = async (ports: Ports, { user, json }: Values): Promise<void> => {
  if (user === undefined) throw new Error('Say whose badges: --user U.');
  const explained = await new BadgeAudit(ports, user).explain(user);
  if (json) return console.log(JSON.stringify(explained));
  for (const { conversationId, unread, because, messages } of explained) {
    console.log(`${conversationId}: ${unread} unread, because ${because}`);
    for (const { seq, at, by, messageId } of messages)
      console.log(`  seq ${seq}  ${at}  by ${by}  ${messageId}`);
  }
};

const repairAll = async (
  ports: Ports,
  differences: readonly Difference[],
  { json }: Values,
): Promise<Repaired> => {
  const mongo = connectMongo(ports.config.MONGODB_URL);
  const progress = showProgress(json ? process.stderr : process.stdout);
  const byUser = Map.groupBy(differences, ({ userId }) => userId);
  const repairs = [...byUser].map(([userId, own]) => ({
    userId,
    conversationIds: own.map(({ conversationId }) => conversationId),
  }));
  try {
    const rebuilding = {
      ...ports,
      writer: new MongoViewWriter(mongo),
      views: new MongoViewSwitch(mongo),
      log: (message: string) => console.error(message),
    };
    return await repair(rebuilding, repairs, progress.onProgress);
  } finally {
    progress.end();
    await mongo.close();
  }
};

const tellBadges = ({ events, people, badges, differences }: Audited): void => {
  for (const { userId, conversationId, log, shown } of differences)
    console.log(
      `DIFFERENT ${userId} in ${conversationId}: ${shown ?? 'not'} shown, ${log ?? 'none'} by the log`,
    );
  console.log(
    `${badges} badges of ${people} people against ${events} events: ${differences.length} differences`,
  );
};

const badges = async (ports: Ports, values: Values): Promise<void> => {
  if (values.explain) return explain(ports, values);
  const found = await new BadgeAudit(ports, values.user).run();
  const isWrong = found.differences.length > 0;
  const repaired =
    values.repair && isWrong ? await repairAll(ports, found.differences, values) : undefined;
  const left = repaired ? await new BadgeAudit(ports, values.user).run() : found;
  if (values.json) console.log(JSON.stringify({ ...found, repaired, left: left.differences }));
  else {
    tellBadges(found);
    if (repaired) console.log('folded again:', repaired);
    if (repaired) tellBadges(left);
  }
  if (left.differences.length > 0) process.exitCode = 1;
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      user: { type: 'string' },
      explain: { type: 'boolean', default: false },
      repair: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command, id = ''] = positionals;
  const commands: Readonly<Record<string, (ports: Ports) => Promise<void>>> = {
    deliveries: (ports) => deliveries(ports, id, values),
    trace: (ports) => trace(ports, id, values),
    badges: (ports) => badges(ports, values),
  };
  const chosen = commands[command ?? ''];
  if (values.help || !chosen) {
    console.log(USAGE);
    if (!values.help) process.exitCode = 2;
    return;
  }
  const { ports, close } = await openPorts(readConfig(process.env));
  try {
    await chosen(ports);
  } finally {
    await close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
