import { Clock, Timer, type Cancel } from '#platform';

type Due = { atMs: number; everyMs: number | undefined; call: () => void };

/** Time that passes only when a test says so; whatever falls due on the way is called in order. */
export class HandTime extends Timer {
  #nowMs = 0;
  readonly #due = new Set<Due>();

  readonly clock: Clock = new HandClock(() => this.#nowMs);

  /** Lets time pass. */
  async pass(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const [next] = [...this.#due]
        .filter(({ atMs }) => atMs <= endMs)
        .toSorted((one, other) => one.atMs - other.atMs);
      if (!next) break;
      this.#nowMs = next.atMs;
      if (next.everyMs === undefined) this.#due.delete(next);
      else next.atMs += next.everyMs;
      next.call();
      // What was called goes as far as it can without time.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#nowMs = endMs;
  }

  override after(ms: number, call: () => void): Cancel {
    return this.#add({ atMs: this.#nowMs + ms, everyMs: undefined, call });
  }

  override every(ms: number, call: () => void): Cancel {
    return this.#add({ atMs: this.#nowMs + ms, everyMs: ms, call });
  }

  #add(due: Due): Cancel {
    this.#due.add(due);
    return () => {
      this.#due.delete(due);
    };
  }
}

class HandClock extends Clock {
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    super();
    this.#nowMs = nowMs;
  }

  override now(): number {
    return this.#nowMs();
  }

  override monotonic(): number {
    return this.#nowMs();
  }
}
