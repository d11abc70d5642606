import { createHash } from 'node:crypto';
import { Clock, Timer, type Cancel } from '#platform';

/** Something that acts: a run of a node or of a client. Once dead, nothing it began goes on. */
export class Actor {
  isAlive = true;

  constructor(readonly name: string) {}
}

type Step = Readonly<{ atMs: number; order: number; actor: Actor; what: string; call: () => void }>;

/** When the simulated day begins. */
const EPOCH_MS = Date.parse('2026-11-23T12:00:00.000Z');

const isBefore = (one: Step, other: Step): boolean =>
  one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);

/** Steps by time, those of one instant in the order in which they were planned: a binary heap. */
class Agenda {
  readonly #steps: Step[] = [];

  add(step: Step): void {
    const steps = this.#steps;
    let at = steps.push(step) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = steps[parent];
      if (!above || !isBefore(step, above)) break;
      steps[at] = above;
      at = parent;
    }
    steps[at] = step;
  }

  take(): Step | undefined {
    const steps = this.#steps;
    const [first] = steps;
    const last = steps.pop();
    if (last && steps.length > 0) this.#sink(last);
    return first;
  }

  #sink(step: Step): void {
    const steps = this.#steps;
    let at = 0;
    for (;;) {
      const left = steps[2 * at + 1];
      const right = steps[2 * at + 2];
      const isRight = left && right && isBefore(right, left);
      const least = isRight ? right : left;
      if (!least || !isBefore(least, step)) break;
      steps[at] = least;
      at = 2 * at + (isRight ? 2 : 1);
    }
    steps[at] = step;
  }
}

/**
 * The one thread of the simulation. Whatever anybody waits for is a step at a virtual instant; the
 * promises that a step settles run dry before the next one, so one seed gives one course.
 */
export class Course {
  nowMs = 0;
  steps = 0;
  /** Who acts in this step. */
  actor = new Actor('nobody');
  readonly history: string[] = [];
  readonly #agenda = new Agenda();
  readonly #hash = createHash('sha256');
  #order = 0;

  /** Plans a step; it is left out when its actor is dead by then. */
  plan(afterMs: number, actor: Actor, what: string, call: () => void): void {
    this.#order += 1;
    const atMs = this.nowMs + Math.max(0, afterMs);
    this.#agenda.add({ atMs, order: this.#order, actor, what, call });
  }

  /** Takes steps until something is so, or a time has come; gives whether it is so. */
  async until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    const endMs = this.nowMs + withinMs;
    while (!isSo()) {
      const step = this.#agenda.take();
      if (!step || step.atMs > endMs) {
        if (step) this.#agenda.add(step);
        this.nowMs = endMs;
        return isSo();
      }
      await this.#take(step);
    }
    return true;
  }

  /** Writes a line of the history. */
  note(line: string): void {
    const text = `${(this.nowMs / 1_000).toFixed(3)} ${line}`;
    this.history.push(text);
    this.#hash.update(text);
  }

  /** One number for all that happened; equal only for equal courses. */
  get trace(): string {
    return this.#hash.copy().digest('hex').slice(0, 32);
  }

  async #take({ atMs, actor, what, call }: Step): Promise<void> {
    this.nowMs = atMs;
    if (!actor.isAlive) return;
    this.actor = actor;
    this.steps += 1;
    this.#hash.update(`${atMs} ${actor.name} ${what}\n`);
    call();
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** A node's clock: its day may jump, its stopwatch does not. */
export class SimulatedClock extends Clock {
  jumpedMs = 0;

  constructor(private readonly course: Course) {
    super();
  }

  override now(): number {
    return EPOCH_MS + Math.floor(this.course.nowMs) + this.jumpedMs;
  }

  override monotonic(): number {
    return this.course.nowMs;
  }
}

/** Timers of one actor; they end with it. */
export class SimulatedTimer extends Timer {
  constructor(
    private readonly course: Course,
    private readonly actor: Actor,
  ) {
    super();
  }

  override after(ms: number, call: () => void): Cancel {
    let isOff = false;
    this.course.plan(ms, this.actor, 'timer', () => {
      if (!isOff) call();
    });
    return () => {
      isOff = true;
    };
  }

  override every(ms: number, call: () => void): Cancel {
    let isOff = false;
    const again = () => {
      this.course.plan(ms, this.actor, 'tick', () => {
        if (isOff) return;
        again();
        call();
      });
    };
    again();
    return () => {
      isOff = true;
    };
  }
}
