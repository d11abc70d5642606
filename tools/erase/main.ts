import 'reflect-metadata';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { openPorts } from '#commands';
import { ERASURE_REASONS, type ErasureReason } from '#domain';
import { connectMongo, MongoViewSwitch, MongoViewWriter, readConfig } from '#platform';
import { publicKeyOf, verified, type Certificate } from './certificate.js';
import { dueAccounts } from './due.js';
import { Erasure, type ErasurePorts, type Order } from './erasure.js';

const USAGE = `npm run erase -- USER --reason REASON --by OPERATOR [--json]
Makes every text of a person unreadable for ever: in the log, its backups and the read models.
  USER             whose: the id of a person
  --reason         ${ERASURE_REASONS.join(', ')}
  --by             the id of who orders it
npm run erase -- --resume            goes on with erasures that were ordered and are not done
npm run erase -- --due               erases all whose account was deleted, after its time of grace
npm run erase -- verify FILE [--key KEY]   verifies a certificate
npm run erase -- public-key          the key by which others verify them
EVENTSTORE_URL, MONGODB_URL and DATA_DIR say which platform, as for npm start. Certificates are
kept in DATA_DIR/certificates. Ends with code 1 where something could not be erased.`;

const uuid = z.uuid();

const tell = ({ statement }: Certificate, isJson: boolean): void => {
  if (isJson) return console.log(JSON.stringify(statement));
  const { userId, seconds, log, views, compaction, scan } = statement;
  console.log(`${userId} is erased, in ${seconds.toFixed(1)} s.`);
  console.log(`  log: ${log.events} sealed texts in ${log.streams} streams, none can be opened`);
  for (const { view, documents } of views)
    if (documents > 0) console.log(`  ${view}: ${documents} documents folded again, all verified`);
  const { method, bytesBefore, bytesAfter } = compaction;
  console.log(`  document store: ${method}, ${bytesBefore} bytes before, ${bytesAfter} after`);
  if (scan)
    console.log(`  ${scan.bytes} raw bytes read: ${scan.hits} of ${scan.texts} texts found`);
};

const isReason = (text: string): text is ErasureReason =>
  ERASURE_REASONS.some((reason) => reason === text);

const ordersOf = async (
  ports: ErasurePorts,
  values: Readonly<{ resume: boolean; due: boolean; reason?: string; by?: string }>,
  userId: string | undefined,
): Promise<readonly Order[]> => {
  if (values.due) return dueAccounts(ports);
  if (values.resume) {
    const ordered = [...(await new Erasure(ports).ordered())];
    return ordered
      .filter(([, { certificate }]) => certificate === undefined)
      .map(([id, { reason, by }]) => ({ userId: id, reason, by }));
  }
  const { reason = '', by } = values;
  if (!isReason(reason)) throw new Error(`--reason is one of ${ERASURE_REASONS.join(', ')}.`);
  return [{ userId: uuid.parse(userId), reason, by: uuid.parse(by) }];
};

const withPorts = async (work: (ports: ErasurePorts) => Promise<void>): Promise<void> => {
  const { ports, close } = await openPorts(readConfig(process.env));
  const mongo = connectMongo(ports.config.MONGODB_URL);
  try {
    await work({
      ...ports,
      writer: new MongoViewWriter(mongo),
      switching: new MongoViewSwitch(mongo),
    });
  } finally {
    await mongo.close();
    await close();
  }
};

const run = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      reason: { type: 'string' },
      by: { type: 'string' },
      key: { type: 'string' },
      resume: { type: 'boolean', default: false },
      due: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [first, second = ''] = positionals;
  if (values.help || (first === undefined && !values.resume && !values.due)) {
    console.log(USAGE);
    if (!values.help) process.exitCode = 2;
  } else if (first === 'verify') {
    const { statement } = verified(await readFile(second, 'utf8'), values.key);
    console.log(`Verified: ${statement.userId} was erased at ${statement.completedAt}.`);
    if (values.key === undefined) console.log('Whose signature it is, only --key can tell.');
  } else if (first === 'public-key') {
    await withPorts(async ({ keys }) => console.log(publicKeyOf(keys)));
  } else {
    await withPorts(async (ports) => {
      const erasure = new Erasure(ports, (step) => console.error(`  ${step}`));
      for (const order of await ordersOf(ports, values, first))
        tell(await erasure.run(order), values.json);
    });
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof z.ZodError ? z.prettifyError(error) : String(error));
  process.exitCode = 1;
});
