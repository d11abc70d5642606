import { Inject, Injectable, Logger } from '@nestjs/common';
import { Rejection, type Command, type Decider, type ScriptaEvent } from '#domain';
import {
  crashPoint,
  isPlanted,
  linked,
  LogUnavailable,
  StaleRevision,
  tally,
  uuidOf,
  type Appended,
  type NewEvent,
} from '#platform';
import { Answers, answerTo } from './answers.js';
import { decideAll, fold, type Appending, type Outcome } from './deciding.js';
import {
  EVENT_BYTES,
  HeldStreams,
  type Accepted,
  type AnyDecider,
  type Held,
  type Looking,
  type Waiting,
} from './held.js';
import { Loading } from './loading.js';
import { PORTS, type Ports } from './ports.js';

/** How long a command is tried: a caller's patience, and longer than a restart of the log takes. */
export const COMMAND_DEADLINE_MS = 5_000;
/** Commands that may wait for one stream; more are shed (fault T23). */
const WAITING_MAX = 1_000;
/** Commands of one turn: enough for a hot group, and one append stays short. */
const TURN_COMMANDS_MAX = 64;
/** Characters of one turn's commands: their events stay under the log's 1 MiB an append. */
const TURN_CHARS_MAX = 262_144;
/** Pauses after a lost race: up to this, drawn anew each time, doubled each time. */
const RACE_PAUSE_MS = 2;
const RACE_PAUSE_MS_MAX = 64;
/** Pauses while the log is away. */
const OUTAGE_PAUSE_MS = 50;
const OUTAGE_PAUSE_MS_MAX = 400;

const MIB_BYTES = 1_048_576;

const charsOf = ({ data }: Command): number => {
  let chars = 0;
  for (const value of Object.values(data))
    if (typeof value === 'string') chars += value.length;
    else if (Array.isArray(value)) chars += value.length * 40;
  return chars;
};

const takeBatch = (waiting: (Waiting | Looking)[]): Waiting[] => {
  const batch: Waiting[] = [];
  let chars = 0;
  for (const next of waiting) {
    if (!('command' in next) || batch.length === TURN_COMMANDS_MAX) break;
    chars += charsOf(next.command);
    if (batch.length > 0 && (next.alone || chars > TURN_CHARS_MAX)) break;
    batch.push(next);
    if (next.alone) break;
  }
  waiting.splice(0, batch.length);
  return batch;
};

/**
 * The writing side of the log: holds states, lets the commands that wait for one stream be decided
 * in one turn and appended as one batch, and begins again where another process was first.
 */
@Injectable()
export class Streams {
  readonly #logger = new Logger(Streams.name);
  readonly #held: HeldStreams;
  readonly #loading: Loading;
  readonly #answers: Answers;

  constructor(@Inject(PORTS) private readonly ports: Ports) {
    const { store, codec, views, timer, config } = ports;
    this.#held = new HeldStreams(config.STATE_CACHE_MB * MIB_BYTES);
    this.#loading = new Loading(store, codec, this.#held, timer);
    this.#answers = new Answers(store, codec, views, timer);
  }

  /** Carries a command out. Throws its refusal, or `LogUnavailable` when the log stays away. */
  execute(decider: AnyDecider, command: Command): Promise<Accepted> {
    return new Promise((resolve, reject) => {
      const deadlineMs = this.ports.clock.monotonic() + COMMAND_DEADLINE_MS;
      this.#enter(decider.streamOf(command), decider, { command, deadlineMs, resolve, reject });
    });
  }

  /**
   * A state that has seen at least `atLeast` where the log holds as much: at once when it is held,
   * else from the log. Read it before the next await: its stream's turns change it in place.
   */
  look<S extends object, C extends Command, E extends ScriptaEvent>(
    decider: Decider<S, C, E>,
    stream: string,
    atLeast: number,
  ): LookedAt<S> | Promise<LookedAt<S>> {
    const held = this.#held.peek(stream);
    const seen = ({ state, revision, position }: Held) => ({
      // A stream's state is always of its own decider.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      state: state as S,
      revision,
      position,
    });
    if (held && held.revision >= atLeast) return seen(held);
    return new Promise((resolve, reject) => {
      const deadlineMs = this.ports.clock.monotonic() + COMMAND_DEADLINE_MS;
      const looking = { atLeast, deadlineMs, resolve: (at: Held) => resolve(seen(at)), reject };
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      this.#enter(stream, decider as unknown as AnyDecider, looking);
    });
  }

  /** Lets go of states that may hold what is to be forgotten; they are loaded again when needed. */
  forget(prefix: string): void {
    this.#held.forgetAll(prefix);
  }

  #enter(stream: string, decider: AnyDecider, who: Waiting | Looking): void {
    const held = this.#held.of(stream, decider);
    if (held.waiting.length >= WAITING_MAX) {
      who.reject(new Rejection('unavailable', 'Too much waits here already; try again.'));
      return;
    }
    held.waiting.push(who);
    if (!held.busy) void this.#work(held);
  }

  async #work(held: Held): Promise<void> {
    held.busy = true;
    for (let next = held.waiting[0]; next; next = held.waiting[0]) {
      const batch = takeBatch(held.waiting);
      if (batch.length === 0) held.waiting.shift();
      const turn = 'command' in next ? this.#turn(held, batch) : this.#show(held, next);
      await turn.catch((error: unknown) => this.#fail(held, batch, error));
    }
    held.busy = false;
    this.#held.weighed(held, held.bytes);
  }

  async #show(held: Held, { atLeast, deadlineMs, resolve, reject }: Looking): Promise<void> {
    try {
      await this.#patiently(deadlineMs, async () => {
        if (!held.loaded) await this.#loading.load(held);
        else if (held.revision < atLeast) await this.#loading.catchUp(held);
      });
      resolve(held);
    } catch (error) {
      this.#held.forget(held);
      reject(error);
    }
  }

  /** A turn that failed as a whole: what the state has folded may not be in the log. */
  #fail(held: Held, batch: readonly Waiting[], error: unknown): void {
    this.#held.forget(held);
    const isOutage = error instanceof LogUnavailable || error instanceof Rejection;
    if (batch.length === 1 || isOutage) {
      for (const { reject } of batch) reject(error);
      return;
    }
    // One of them is at fault and need not take the others along.
    for (const waiting of batch) waiting.alone = true;
    held.waiting.unshift(...batch);
  }

  async #turn(held: Held, batch: readonly Waiting[]): Promise<void> {
    const deadlineMs = batch[0]?.deadlineMs ?? 0;
    if (deadlineMs <= this.ports.clock.monotonic())
      throw new LogUnavailable('The log was away for as long as this command could wait.');
    let isCurrent = !held.loaded;
    if (!held.loaded) await this.#patiently(deadlineMs, () => this.#loading.load(held));
    for (let race = 0; ; isCurrent = true) {
      const outcomes = decideAll(held, batch);
      const appending = outcomes.filter((outcome) => outcome.kind === 'events');
      if (appending.length > 0) {
        if (await this.#append(held, batch, appending, deadlineMs))
          return this.#settle(held, outcomes);
        await this.#afterLostRace(held, batch.length > 1, race++, deadlineMs);
      } else if (isCurrent || !(await this.#isOutdated(held, outcomes, deadlineMs))) {
        return this.#settle(held, outcomes);
      }
    }
  }

  /** A refusal may rest on what another process has changed since: look once before saying no. */
  async #isOutdated(
    held: Held,
    outcomes: readonly Outcome[],
    deadlineMs: number,
  ): Promise<boolean> {
    if (!outcomes.some(isDoubtful)) return false;
    return this.#patiently(deadlineMs, () => this.#loading.catchUp(held));
  }

  /** Whether the events are in the log now; not, where another writer was first. */
  async #append(
    held: Held,
    batch: readonly Waiting[],
    appending: readonly Appending[],
    deadlineMs: number,
  ): Promise<boolean> {
    const { events: sealed, head } = this.#link(held, await this.#seal(appending));
    const expected = isPlanted('two-owners-of-a-partition') ? 'any' : held.revision;
    let appended: Appended;
    try {
      // Of unknown outcome: the original expected revision again, never a new one (finding R4).
      appended = await this.#patiently(deadlineMs, () => {
        const appendingNow = this.ports.store.append(held.stream, expected, sealed);
        // What was written leaves the process before the next immediate.
        setImmediate(crashPoint, 'command.append-sent');
        if (isPlanted('acknowledge-before-append')) return unappended(held, sealed, appendingNow);
        return appendingNow;
      });
    } catch (error) {
      if (error instanceof StaleRevision) return false;
      throw error;
    }
    crashPoint('command.appended');
    if (batch.length === 1) for (const outcome of appending) fold(held, outcome);
    held.revision = appended.revision;
    held.position = appended.position;
    held.link = head;
    this.#held.weighed(held, held.bytes + sealed.length * EVENT_BYTES);
    this.#freeze(held);
    return true;
  }

  async #afterLostRace(
    held: Held,
    isFolded: boolean,
    race: number,
    deadlineMs: number,
  ): Promise<void> {
    tally('retried', 'stale_revision', held.decider.name);
    if (this.ports.clock.monotonic() >= deadlineMs)
      throw new Rejection('unavailable', 'Others write here faster than this; try again.');
    const pauseMs = Math.min(RACE_PAUSE_MS * 2 ** race, RACE_PAUSE_MS_MAX);
    if (race > 0) await this.ports.timer.sleep(this.ports.random.integer(pauseMs) + 1);
    await this.#patiently(deadlineMs, async () => {
      if (isFolded) await this.#loading.load(held);
      else await this.#loading.catchUp(held);
    });
  }

  async #seal(appending: readonly Appending[]): Promise<readonly NewEvent[]> {
    const sealing: Promise<NewEvent>[] = [];
    for (const { events, waiting } of appending) {
      const { eventId, correlationId, causationId, commandId } = waiting.command.meta;
      for (const [index, event] of events.entries())
        sealing.push(
          this.ports.codec.encode(event, {
            id: index === 0 ? eventId : uuidOf(`${eventId}:${index}`),
            correlationId,
            causationId: causationId ?? commandId,
          }),
        );
    }
    return Promise.all(sealing);
  }

  #link({ decider, link, revision }: Held, sealed: readonly NewEvent[]) {
    return decider.linked ? linked(sealed, link, revision + 1) : { events: sealed, head: link };
  }

  #settle(held: Held, outcomes: readonly Outcome[]): void {
    const position = String(held.position);
    for (const outcome of outcomes) {
      const { waiting } = outcome;
      switch (outcome.kind) {
        case 'events':
          waiting.resolve({ duplicate: false, data: dataOf(outcome), position });
          break;
        case 'nothing':
          waiting.resolve({ duplicate: true, data: alreadySo(held, waiting), position });
          break;
        case 'repeat':
          void this.#repeat(held.stream, outcome.seq, waiting);
          break;
        case 'ask':
          void this.#ask(held, waiting);
          break;
        case 'refused':
        case 'failed':
          waiting.reject(outcome.error);
      }
    }
  }

  async #repeat(stream: string, seq: number, waiting: Waiting): Promise<void> {
    try {
      const at = () => this.#answers.at(stream, seq);
      waiting.resolve(await this.#patiently(waiting.deadlineMs, at));
    } catch (error) {
      waiting.reject(error);
    }
  }

  /** Asks history beside the stream's turns; a command it does not know enters again. */
  async #ask(held: Held, waiting: Waiting): Promise<void> {
    const { stream, decider, revision, position } = held;
    try {
      const answer = await this.#answers.fromHistory(waiting.command.meta, position);
      if (answer) waiting.resolve(answer);
      else this.#enter(stream, decider, Object.assign(waiting, { asked: revision }));
    } catch (error) {
      waiting.reject(error);
    }
  }

  #freeze(held: Held): void {
    const isFirst = held.snapshotAt < 0;
    const snapshot = this.#loading.dueSnapshot(held, () => this.ports.random.uuid());
    if (!snapshot) return;
    const stream = `snapshot-${held.stream}`;
    const kept = async () => {
      await this.ports.store.append(stream, 'any', [snapshot]);
      if (isFirst) await this.ports.store.keepLatest(stream);
    };
    // A snapshot that is lost costs a longer load and nothing else.
    kept().catch((error: unknown) =>
      this.#logger.warn(`No snapshot of ${held.stream}: ${String(error)}`),
    );
  }

  /** Tries again while the log is away, up to the deadline. */
  async #patiently<T>(deadlineMs: number, call: () => Promise<T>): Promise<T> {
    for (let pauseMs = OUTAGE_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, OUTAGE_PAUSE_MS_MAX)) {
      try {
        return await call();
      } catch (error) {
        const isOver = this.ports.clock.monotonic() + pauseMs >= deadlineMs;
        if (isOver || !(error instanceof LogUnavailable)) throw error;
        tally('retried', error.name, 'commands');
      }
      await this.ports.timer.sleep(pauseMs);
    }
  }
}

/** A state as it was looked at. */
export type LookedAt<S> = Readonly<{ state: S; revision: number; position: number }>;

/** Planted: what an append will answer if it succeeds, without waiting for it. */
const unappended = async (
  { revision, position }: Held,
  { length }: readonly NewEvent[],
  appending: Promise<Appended>,
): Promise<Appended> => {
  appending.catch(() => undefined);
  return { revision: revision + length, position: position + 1 };
};

const isDoubtful = ({ kind }: Outcome): boolean => kind === 'refused' || kind === 'nothing';

const dataOf = ({ events, waiting, seq }: Appending): Accepted['data'] => {
  const [first] = events;
  return first ? answerTo(first, waiting.command.meta.eventId, seq) : {};
};

/** What was wished is so already: the ids it named, and where the conversation stands. */
const alreadySo = (held: Held, { command }: Waiting): Accepted['data'] => ({
  ...('conversationId' in command.data
    ? { conversationId: command.data.conversationId, seq: held.revision }
    : {}),
  ...('scheduleId' in command.data ? { scheduleId: command.data.scheduleId } : {}),
});
