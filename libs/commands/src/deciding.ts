import {
  OUTBOX_RESULTS_MAX,
  Rejection,
  recall,
  reject,
  type Command,
  type ScriptaEvent,
} from '#domain';
import { isPlanted } from '#platform';
import type { Held, Waiting } from './held.js';

/** What a state says to one command. */
export type Outcome = Readonly<{ waiting: Waiting }> &
  (
    | Readonly<{ kind: 'events'; events: readonly ScriptaEvent[]; seq: number }>
    /** What was wished is so already. */
    | Readonly<{ kind: 'nothing' }>
    | Readonly<{ kind: 'repeat'; seq: number }>
    /** Too old to be remembered: only history knows whether it is a repeat. */
    | Readonly<{ kind: 'ask' }>
    | Readonly<{ kind: 'refused'; error: Rejection }>
    | Readonly<{ kind: 'failed'; error: unknown }>
  );

/** An outcome that appends. */
export type Appending = Extract<Outcome, { kind: 'events' }>;

/** Whether history need not be asked (again): all that came after it was asked is remembered. */
const isAnswered = (held: Held, { command, asked }: Waiting): boolean => {
  // A snapshot that was taken since may have left results out.
  if (asked === undefined || held.snapshotAt > asked) return false;
  const outbox = held.decider.outboxes?.(held.state).get(command.meta.device ?? '');
  const since = outbox?.results.filter(({ seq }) => seq > asked) ?? [];
  return since.length < OUTBOX_RESULTS_MAX;
};

/** The refusal of an `n` that another command used, or `undefined` while that is not sure. */
const usedBefore = (held: Held, { command, asked }: Waiting): Rejection | undefined => {
  const { device = '', n } = command.meta;
  const outbox = held.decider.outboxes?.(held.state).get(device);
  if (n === undefined || !outbox) return undefined;
  if (asked === undefined && !outbox.results.some((result) => result.n === n)) return undefined;
  const expected = outbox.n + 1;
  const message = `This device's next n here is ${expected}; ${n} was another command's.`;
  return new Rejection('out_of_order', message, { expected });
};

const recalled = (held: Held, waiting: Waiting): 'new' | Outcome => {
  const outboxes = held.decider.outboxes?.(held.state);
  if (!outboxes) return 'new';
  const known = recall(outboxes, waiting.command.meta);
  if (known === 'new') return 'new';
  if (known !== 'ask_history') return { kind: 'repeat', waiting, seq: known.seq };
  if (isPlanted('reuse-n')) return 'new';
  const used = usedBefore(held, waiting);
  if (used) return { kind: 'refused', waiting, error: used };
  return isAnswered(held, waiting) ? 'new' : { kind: 'ask', waiting };
};

const mustExpect = ({ meta }: Command, head: number): void => {
  if (meta.expect === undefined || meta.expect === head) return;
  reject('conflict', `Something else came first: the last seq is ${head}.`, { head });
};

const decideOne = (held: Held, waiting: Waiting, seq: number): Outcome => {
  try {
    const known = recalled(held, waiting);
    if (known !== 'new') return known;
    mustExpect(waiting.command, seq - 1);
    const events = held.decider.decide(waiting.command, held.state);
    return events.length === 0
      ? { kind: 'nothing', waiting }
      : { kind: 'events', waiting, events, seq };
  } catch (error) {
    return error instanceof Rejection
      ? { kind: 'refused', waiting, error }
      : { kind: 'failed', waiting, error };
  }
};

/** Folds what a command appended, or is about to. */
export const fold = (held: Held, { events, seq }: Appending): void => {
  for (const [index, event] of events.entries())
    held.state = held.decider.evolve(held.state, event, seq + index);
};

/**
 * Decides commands in their order, each on what the one before it left. To that end all are folded
 * at once, except a lone command: then the state stays clean until its events are in the log.
 */
export const decideAll = (held: Held, batch: readonly Waiting[]): readonly Outcome[] => {
  let seq = held.revision + 1;
  return batch.map((waiting) => {
    const outcome = decideOne(held, waiting, seq);
    if (outcome.kind !== 'events') return outcome;
    seq += outcome.events.length;
    if (batch.length > 1) fold(held, outcome);
    return outcome;
  });
};
