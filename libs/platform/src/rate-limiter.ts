import { Clock } from './clock.js';

/** Keys a process keeps buckets for; a full bucket is as good as none, so the oldest may go. */
const BUCKETS_MAX = 100_000;

/** A limit by token bucket. Security limits fail closed, the others open (finding R13). */
export type Limit = Readonly<{
  name: string;
  /** Tokens of a full bucket. */
  burst: number;
  perSecond: number;
  /** What holds while the store of the buckets cannot be reached. */
  onStoreDown: 'open' | 'closed';
}>;

/** Counts acts per key: each process for itself, or through a shared store all as one. */
export abstract class RateLimiter {
  /** Takes a token; 0 when there was one, else the milliseconds until there is. */
  abstract take(limit: Limit, key: string): number | Promise<number>;
}

type Bucket = { tokens: number; atMs: number };

/** Buckets in this process's memory. */
export class LocalRateLimiter extends RateLimiter {
  readonly #buckets = new Map<string, Bucket>();

  constructor(private readonly clock: Clock) {
    super();
  }

  override take({ name, burst, perSecond }: Limit, key: string): number {
    const id = `${name}:${key}`;
    const nowMs = this.clock.monotonic();
    const bucket = this.#buckets.get(id) ?? { tokens: burst, atMs: nowMs };
    // Set anew, so that the map's order is the order of use.
    this.#buckets.delete(id);
    this.#buckets.set(id, bucket);
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1_000) * perSecond);
    bucket.atMs = nowMs;
    this.#forgetOldest();
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / perSecond) * 1_000);
    bucket.tokens -= 1;
    return 0;
  }

  #forgetOldest(): void {
    if (this.#buckets.size <= BUCKETS_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}
