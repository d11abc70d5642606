import type { Cancel, Clock, Random, Timer } from './clock.js';
import type { Operations } from './views.js';

/** What went wrong: a wish refused, a try repeated, an event parked, a delivery or a process failed. */
export const TALLY_KINDS = ['refused', 'retried', 'parked', 'undelivered', 'failed'] as const;
/** One of them. */
export type TallyKind = (typeof TALLY_KINDS)[number];

/** How often something went wrong in one process since its start; nothing of what it was about. */
export type Tally = Readonly<{ kind: TallyKind; code: string; place: string; count: number }>;

/** Things of one process that are told apart; more count as `other`, so that nobody can fill memory. */
const TALLIES_MAX = 1_000;
/** How often what was counted is written (ms), and into what spans of time (ms). */
const WRITE_MS = 5_000;
const MINUTE_MS = 60_000;
/** How long it is kept (ms), and how often that is looked at (ms). */
const KEPT_MS = 7 * 86_400_000;
const TIDY_MS = 3_600_000;
const CHARS_MAX = 64;

/** Where `operations` holds counts by minute; losing them loses no more than that. */
export const ERRORS = 'errors';
/** The questions asked of it. */
export const ERROR_INDEXES = [{ key: { at: 1 } }] as const;

/** Counts of one minute of one process, as they are kept. */
export type KeptTally = Tally & Readonly<{ at: number; process: string; node: string }>;

type Counted = { kind: TallyKind; code: string; place: string; count: number };

const counted = new Map<string, Counted>();

const clean = (text: string): string => text.replaceAll(/[^\w .:/-]/gu, '_').slice(0, CHARS_MAX);

/**
 * Counts something that went wrong, by a code and a place in the program. Neither may come from
 * whoever calls or hold anything of people.
 */
export const tally = (kind: TallyKind, code: string, place: string): void => {
  const isFull = counted.size >= TALLIES_MAX;
  const wanted = `${kind}|${code}|${place}`;
  const key = isFull && !counted.has(wanted) ? `${kind}|other|other` : wanted;
  const known = counted.get(key);
  if (known) known.count += 1;
  else if (key === wanted)
    counted.set(key, { kind, code: clean(code), place: clean(place), count: 1 });
  else counted.set(key, { kind, code: 'other', place: 'other', count: 1 });
};

/** The name of an error's class, as a code. */
export const nameOf = (error: unknown): string =>
  error instanceof Error ? error.name : typeof error;

/** Everything this process has counted. */
export const tallies = (): readonly Tally[] => [...counted.values()].map((one) => ({ ...one }));

/** The same in Prometheus' text format, version 0.0.4. */
export const metricsText = (): string => {
  const lines = tallies().map(
    ({ kind, code, place, count }) =>
      `scripta_errors_total{kind="${kind}",code="${code}",place="${place}"} ${count}`,
  );
  const help = 'What was refused, repeated, parked, not delivered or failed, since the start.';
  return `# HELP scripta_errors_total ${help}\n# TYPE scripta_errors_total counter\n${lines
    .toSorted()
    .map((line) => `${line}\n`)
    .join('')}`;
};

/** Content type of that text. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** What keeping counts stands on. */
export type TallyPorts = Readonly<{
  operations: Operations;
  clock: Clock;
  timer: Timer;
  random: Random;
}>;

/** Writes down by minute what this process counts, so that it can be asked for later. */
export class TallyKeeper {
  readonly #node: string;
  /** Totals as they were last looked at. */
  readonly #seen = new Map<string, number>();
  /** Minutes that have changed since they were last written. */
  readonly #unwritten = new Map<string, KeptTally & { _id: string }>();
  #minute = new Map<string, number>();
  #at = 0;
  #tidiedMs = 0;
  #writing: Promise<void> | undefined;
  #cancel: Cancel | undefined;

  constructor(
    private readonly ports: TallyPorts,
    private readonly process: string,
  ) {
    this.#node = ports.random.uuid();
  }

  /** Writes now and then; what cannot be written waits. */
  start(): void {
    this.#cancel = this.ports.timer.every(WRITE_MS, () => {
      this.#writing ??= this.write()
        .catch(() => undefined)
        .finally(() => {
          this.#writing = undefined;
        });
    });
  }

  /** Writes what is left, if it can be. */
  async stop(): Promise<void> {
    this.#cancel?.();
    await this.#writing;
    await this.write().catch(() => undefined);
  }

  /** Writes what has been counted since the last time. */
  async write(): Promise<void> {
    this.#gather();
    const documents = [...this.#unwritten.values()];
    const { operations, clock } = this.ports;
    if (documents.length > 0) await operations.putAll(ERRORS, documents);
    for (const document of documents)
      if (this.#unwritten.get(document._id) === document) this.#unwritten.delete(document._id);
    const nowMs = clock.now();
    if (nowMs - this.#tidiedMs < TIDY_MS) return;
    this.#tidiedMs = nowMs;
    await operations.prepare(ERRORS, ERROR_INDEXES);
    await operations.clear(ERRORS, { at: { $lt: nowMs - KEPT_MS } });
  }

  #gather(): void {
    const at = Math.floor(this.ports.clock.now() / MINUTE_MS) * MINUTE_MS;
    if (at !== this.#at) this.#minute = new Map();
    this.#at = at;
    for (const { count, ...what } of tallies()) {
      const key = `${what.kind}:${what.code}:${what.place}`;
      const more = count - (this.#seen.get(key) ?? 0);
      if (more === 0) continue;
      this.#seen.set(key, count);
      const own = (this.#minute.get(key) ?? 0) + more;
      this.#minute.set(key, own);
      const _id = `${at}:${this.#node}:${key}`;
      const where = { at, process: this.process, node: this.#node };
      this.#unwritten.set(_id, { _id, ...what, count: own, ...where });
    }
  }
}
