import { parseArgs } from 'node:util';
import { connectMongo, MongoOperations, readConfig } from '#platform';
import { errorsSince, GROUPINGS, spanMs, type Grouping } from './errors.js';

const USAGE = `npm run errors [-- OPTIONS]
How often something was refused, repeated, parked, not delivered or failed, in every process.
  --since SPAN   90s, 15m, 1h (as is), 7d at most; counted by the minute
  --by WHAT      ${GROUPINGS.join(', ')} (again for more; kind, code and place as is)
  --json         as one line of JSON
MONGODB_URL says which platform. The same counts since each process's start are at its /metrics.`;

const isGrouping = (text: string): text is Grouping =>
  GROUPINGS.some((grouping) => grouping === text);

const run = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      since: { type: 'string', default: '1h' },
      by: { type: 'string', multiple: true },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  const by = values.by ?? ['kind', 'code', 'place'];
  const groupings = by.filter(isGrouping);
  if (groupings.length < by.length) throw new Error(`--by is one of ${GROUPINGS.join(', ')}.`);
  const since = Date.now() - spanMs(values.since);
  const mongo = connectMongo(readConfig(process.env).MONGODB_URL);
  try {
    const rows = await errorsSince(new MongoOperations(mongo), since, groupings);
    if (values.json) console.log(JSON.stringify(rows));
    else if (rows.length === 0) console.log(`Nothing went wrong in the last ${values.since}.`);
    else
      for (const { by: what, count, last } of rows)
        console.log(
          `${String(count).padStart(8)}  ${Object.values(what).join('  ')}  (last ${last})`,
        );
  } finally {
    await mongo.close();
  }
};

run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
