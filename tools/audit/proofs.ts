import { readFileSync, writeFileSync } from 'node:fs';
import type { Ports } from '#commands';
import { LEAF_TILES, LogProver } from '#platform';
import {
  checkProofFile,
  keyIdOf,
  pageOf,
  proofLine,
  type Checked,
  type Problem,
  type ProofChecked,
} from '#proof';
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

/** `prove`: a conversation with inclusion proofs, as JSON or as a page. */
export const proveCommand = async (log: OpenLog, { rest, options }: Asked): Promise<void> => {
  const [conversationId] = rest;
  if (conversationId === undefined) throw new Error('Say of what: prove CONVERSATION.');
  const stream = `conversation-${conversationId}`;
  const events = await log.store.read(stream, 0);
  const to = events.at(-1)?.position ?? 0;
  await recordAccess(log, { scope: `proof of ${stream}`, from: 0, to }, options);
  const { onProgress, end } = showProgress(process.stderr);
  try {
    const prover = await LogProver.fromLog(log.store, stream, onProgress);
    if (!prover) throw new Error('No head was signed in this log yet: there is nothing to prove.');
    const proof = await prover.prove(conversationId, events, log.keys ? { keys: log.keys } : {});
    const line = proofLine(proof);
    const text = options.html ? pageOf(proof, line) : line;
    if (options.out === undefined) process.stdout.write(text);
    else writeFileSync(options.out, text, { flag: 'wx' });
    const missing = events.length - proof.entries.length;
    if (missing > 0)
      console.error(`${missing} entries came after the last head; prove them later.`);
  } finally {
    end();
  }
};

const tellProof = (checked: ProofChecked): void => {
  const { entries, opened, sealed, gaps, head, problems } = checked;
  for (const problem of problems) console.log(`WRONG: ${problem}`);
  for (const [from, to] of gaps) console.log(`seq ${from} to ${to} are not in the file`);
  const verdict = problems.length === 0 ? 'PROVEN' : 'NOT proven';
  console.log(
    `${verdict}: ${entries} entries, ${opened} with content, ${sealed} by commitment only`,
  );
  if (head) console.log(`by the head over ${head.size} leaves, signed ${head.at} by ${head.key}`);
};

/** `verify-proof`: a conversation's proof, with nothing else at hand. */
export const verifyProofCommand = ({ rest, options }: Asked): void => {
  const [file] = rest;
  if (file === undefined || options.key === undefined)
    throw new Error('Say which file and whose key: verify-proof FILE --key K.');
  const checked = checkProofFile(readFileSync(file, 'utf8'), keyFrom(options.key));
  if (checked.problems.length > 0) process.exitCode = 1;
  if (options.json) console.log(JSON.stringify(checked));
  else tellProof(checked);
};

/**
 * `reseal`: after a backup was restored on purpose, the auditor hashes the log anew. It signs again
 * only if the log still begins with what the heads in it cover.
 */
export const resealCommand = async (
  { store, codec, operations }: Ports,
  { options }: Asked,
): Promise<void> => {
  const scope = 'the tree over the log is made anew';
  const log = { store, codec, keys: undefined, close: () => Promise.resolve() };
  await recordAccess(log, { scope, from: 0, to: -1 }, { ...options, open: false });
  await operations.clear(LEAF_TILES, {});
  console.log('The tree is made anew once the auditor is started again.');
};
