import type { Ports } from '#commands';
import type { StoredEntry } from '#domain';
import { connectMongo, MongoViewSwitch, MongoViewWriter } from '#platform';
import { Deliveries, type MemberDelivery } from '../../apps/command-api/src/deliveries.js';
import { Traces } from '../../apps/command-api/src/traces.js';
import { showProgress } from '../rebuild/progress.js';
import { BadgeAudit, type Audited, type Difference } from './audit-badges.js';
import { findCommand } from './find-command.js';
import type { Options } from './options.js';
import { repair, type Repaired } from './repair.js';

const PAGE_PEOPLE = 200;

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

/** Who got a message, by person and device. */
export const deliveries = async (
  ports: Ports,
  messageId: string,
  { json }: Options,
): Promise<void> => {
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

/** From a command to everything it caused. */
export const trace = async (ports: Ports, commandId: string, { user }: Options): Promise<void> => {
  const traces = new Traces(ports, new Deliveries(ports));
  if (user !== undefined) {
    console.log(JSON.stringify(await traces.of(user, commandId), undefined, 2));
    return;
  }
  const first = await findCommand(ports.store, commandId);
  if (!first) throw new Error(`No event of the log came of command ${commandId}.`);
  console.log(JSON.stringify(await traces.from(first, commandId), undefined, 2));
};

const explain = async (ports: Ports, { user, json }: Options): Promise<void> => {
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
  { json }: Options,
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

/** Badges against the log. */
export const badges = async (ports: Ports, values: Options): Promise<void> => {
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
