import { keyIdOf, type Checked, type Problem } from '#proof';
import { showProgress } from '../rebuild/progress.js';
import { recordAccess } from './access.js';
import { headsIn, keyFor, keyFrom, type OpenLog } from './log.js';
import type { Asked, Options } from './options.js';
import { exportLog, verifyExport, verifyLog } from './verifying.js';

/** Problems that are told to a person; `--json` has all. */
const TOLD_MAX = 20;

const tellProblem = ({ what, index, to, stream, revision }: Problem): void => {
  const place = to === undefined ? `leaf ${index}` : `leaves ${index} to ${to}`;
  const where = stream === undefined ? '' : `, ${stream} revision ${revision ?? -1}`;
  console.log(`WRONG at ${place}${where}: ${what}`);
};

/** Tells what a check found; the tool ends with 1 where something is wrong. */
export const tellChecked = (checked: Checked, { json }: Options): void => {
  const { events, heads, proven, problems, more, chain } = checked;
  if (problems.length > 0) process.exitCode = 1;
  if (json) return console.log(JSON.stringify(checked));
  for (const problem of problems.slice(0, TOLD_MAX)) tellProblem(problem);
  const rest = problems.length - TOLD_MAX + more;
  if (rest > 0) console.log(`and ${rest} more`);
  if (chain !== undefined) console.log(`chain ${chain}`);
  const verdict = problems.length === 0 ? 'as they were signed' : 'NOT as they were signed';
  const open = events > proven ? `, ${events - proven} after the last head` : '';
  console.log(`${events} events, ${heads} signed heads: ${verdict}${open}`);
  return undefined;
};

const checkWith = ({ heads, chain }: Options) => ({
  ...(heads === undefined ? {} : { published: headsIn(heads) }),
  ...(chain === undefined ? {} : { chainOf: chain }),
});

/** `verify`: the living log against its heads. */
export const verifyCommand = async (
  { store }: OpenLog,
  { options, config }: Asked,
): Promise<void> => {
  const key = await keyFor(config, store, options.key);
  const { onProgress, end } = showProgress(process.stderr);
  try {
    tellChecked(await verifyLog(store, { key, ...checkWith(options) }, onProgress), options);
  } finally {
    end();
  }
};

/** `verify-export`: a file, with nothing else at hand. */
export const verifyExportCommand = async ({ rest, options }: Asked): Promise<void> => {
  const [file] = rest;
  if (file === undefined || options.key === undefined)
    throw new Error('Say which file and whose key: verify-export FILE --key K.');
  const key = keyFrom(options.key);
  const { onProgress, end } = showProgress(process.stderr);
  try {
    tellChecked(await verifyExport(file, { key, ...checkWith(options) }, onProgress), options);
  } finally {
    end();
  }
};

/** `export`: the whole log to a file. */
export const exportCommand = async (log: OpenLog, { options, config }: Asked): Promise<void> => {
  const { out: path } = options;
  if (path === undefined) throw new Error('Say where to: --out FILE.');
  const { store } = log;
  await recordAccess(log, { scope: `export to ${path}`, from: 0, to: -1 }, options);
  const key = await keyFor(config, store, options.key);
  const { onProgress, end } = showProgress(process.stderr);
  try {
    const at = new Date().toISOString();
    const { events, heads } = await exportLog(store, { path, key, at }, onProgress);
    console.log(`${events} events and ${heads} heads of key ${keyIdOf(key)} are in ${path}.`);
  } finally {
    end();
  }
};
