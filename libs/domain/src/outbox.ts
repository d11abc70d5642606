import { reject } from './rejection.js';

/**
 * Results kept per device. More than a client has in flight (the SDK sends one at a time for each
 * conversation); older repeats are answered from history.
 */
export const OUTBOX_RESULTS_MAX = 32;

/** What an accepted command left: enough to answer a repeat of it. */
export type OutboxResult = Readonly<{
  command: string;
  n?: number;
  digest?: string;
  /** Revision of the command's first event. */
  seq: number;
}>;

/** The last place a device's outbox reached, and its latest results, oldest first. */
export type Outbox = { n: number; results: OutboxResult[] };

/** Each device's outbox for one stream, by device id. */
export type Outboxes = Map<string, Outbox>;

/** The part of an event that says which command it came from. */
export type Origin = Readonly<{ command: string; device?: string; n?: number; digest?: string }>;

/** What a command says of the outbox it came from; the same names as in its meta. */
export type Sending = Readonly<{
  commandId: string;
  device?: string;
  n?: number;
  digest?: string;
  once?: true;
}>;

/** Remembers the command of an event. Only the first event of a command counts. */
export const remember = (outboxes: Outboxes, origin: Origin, seq: number): void => {
  if (origin.device === undefined) return;
  let outbox = outboxes.get(origin.device);
  if (!outbox) outboxes.set(origin.device, (outbox = { n: 0, results: [] }));
  if (outbox.results.at(-1)?.command === origin.command) return;
  const { command, n, digest } = origin;
  outbox.results.push({
    command,
    seq,
    ...(n === undefined ? {} : { n }),
    ...(digest === undefined ? {} : { digest }),
  });
  if (outbox.results.length > OUTBOX_RESULTS_MAX) outbox.results.shift();
  if (n !== undefined) outbox.n = n;
};

const EMPTY: Readonly<Outbox> = { n: 0, results: [] };

/** The part of a command's meta that says whether it came before. */
export type Sender = Readonly<{
  commandId: string;
  device?: string;
  n?: number;
  digest?: string;
  once?: true;
}>;

/**
 * Whether a command is `new`, the repeat of a result still at hand, or so old (or sent without `n`)
 * that only history can `tell`. Throws `out_of_order` at a gap and `id_reused` for another body.
 */
export const recall = (
  outboxes: Outboxes,
  { device, n, commandId, digest, once }: Sender,
): 'new' | 'ask_history' | OutboxResult => {
  if (device === undefined) return 'new';
  const { n: last, results } = outboxes.get(device) ?? EMPTY;
  const known = results.find((result) => result.command === commandId);
  if (known) return sameBody(known, digest);
  if (n === undefined) return once || !outboxes.has(device) ? 'new' : 'ask_history';
  if (n === last + 1) return 'new';
  if (n <= last) return 'ask_history';
  return reject('out_of_order', `This device's next n here is ${last + 1}, not ${n}.`, {
    expected: last + 1,
  });
};

/** The known result, or `id_reused` where the repeat says something else. */
export const sameBody = <R extends Readonly<{ digest?: string }>>(
  known: R,
  digest: string | undefined,
): R =>
  known.digest === digest
    ? known
    : reject('id_reused', 'This id was used for another command; give each command its own id.');

/**
 * Results that a snapshot keeps of all devices together, the latest: about 170 KiB. What it leaves
 * out is answered from history, as are repeats older than those that a state keeps.
 */
export const FROZEN_RESULTS_MAX = 1_024;

/** Outboxes as JSON, for a snapshot: every device's `n`, and the latest results. */
export const freezeOutboxes = (outboxes: Outboxes): [string, Outbox][] => {
  const frozen = [...outboxes];
  const seqs = frozen.flatMap(([, { results }]) => results.map(({ seq }) => seq));
  if (seqs.length <= FROZEN_RESULTS_MAX) return frozen;
  const oldest = seqs.toSorted((one, other) => other - one)[FROZEN_RESULTS_MAX - 1] ?? 0;
  return frozen.map(([device, { n, results }]) => [
    device,
    { n, results: results.filter(({ seq }) => seq >= oldest) },
  ]);
};
