import type { Ports } from '#commands';
import { hkdfSync, randomBytes } from 'node:crypto';
import {
  Clock,
  JsonCodec,
  Keys,
  LocalRateLimiter,
  MemoryEventStore,
  readConfig,
  SystemClock,
  SystemRandom,
  SystemTimer,
  Timer,
  type Cancel,
  type SubjectKey,
} from '#platform';
import { MemoryOperations, FoldedViews } from './folded-views.js';

const KEY_BYTES = 32;

/** Keys that live and die with the test. */
export class MemoryKeys extends Keys {
  readonly #keys: Map<string, SubjectKey | undefined>;
  readonly #master = randomBytes(KEY_BYTES);

  constructor(held: ReadonlyMap<string, SubjectKey> = new Map()) {
    super();
    this.#keys = new Map(held);
  }

  override ensure(subject: string): Promise<SubjectKey | undefined> {
    if (!this.#keys.has(subject)) this.#keys.set(subject, { secret: randomBytes(KEY_BYTES) });
    return Promise.resolve(this.#keys.get(subject));
  }

  override find(subject: string): SubjectKey | undefined {
    return this.#keys.get(subject);
  }

  override destroy(subject: string): Promise<void> {
    this.#keys.set(subject, undefined);
    return Promise.resolve();
  }

  override derive(purpose: string): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#master, '', purpose, KEY_BYTES));
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** All ports in memory, on a log and by a clock of their own or on those given. */
export const memoryPorts = (
  settings: Readonly<Record<string, string>> = {},
  { store = new MemoryEventStore(), clock = new SystemClock() }: Partial<Ports> = {},
): Ports & { views: FoldedViews } => {
  const keys = new MemoryKeys();
  const random = new SystemRandom();
  const codec = new JsonCodec(keys, random);
  return {
    config: readConfig({ LOG_LEVEL: 'error', ...settings }),
    store,
    codec,
    keys,
    views: new FoldedViews(store, codec),
    operations: new MemoryOperations(),
    limiter: new LocalRateLimiter(clock),
    clock,
    random,
    timer: new SystemTimer(),
  };
};

/** A clock that a test moves on by hand. */
export class SteppedClock extends Clock {
  #ms = Date.parse('2026-11-23T12:00:00.000Z');

  /** Lets time pass. */
  pass(ms: number): void {
    this.#ms += ms;
  }

  override now(): number {
    return this.#ms;
  }

  override monotonic(): number {
    return this.#ms;
  }
}

/** A clock that only moves when somebody waits, and then at once. */
export class SteppedTime extends Timer {
  #ms = 0;

  readonly clock: Clock = new (class extends Clock {
    constructor(private readonly ms: () => number) {
      super();
    }

    override now(): number {
      return this.ms();
    }

    override monotonic(): number {
      return this.ms();
    }
  })(() => this.#ms);

  override after(ms: number, call: () => void): Cancel {
    let isOff = false;
    setImmediate(() => {
      if (isOff) return;
      this.#ms += ms;
      call();
    });
    return () => {
      isOff = true;
    };
  }

  override every(): Cancel {
    throw new Error('Nothing that repeats is under this clock.');
  }
}
