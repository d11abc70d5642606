import { Clock } from './clock.js';

/** Keys a process keeps counts for; a whole burst is as good as none, so the oldest may go. */
const KEYS_MAX = 100_000;

/** How many acts are let through. Security limits fail closed, the others open (finding R13). */
export type Limit = Readonly<{
  name: string;
  /** Acts that may come at once. */
  burst: number;
  /** Seconds until a used-up burst is whole again. */
  fillS: number;
  /** Never more than the burst in any `fillS` seconds; else a token bucket that refills in use. */
  isStrict?: boolean;
  /** What holds while the store of the counts cannot be reached. */
  onStoreDown: 'open' | 'closed';
}>;

/** Counts acts per key: each process for itself, or through a shared store all as one. */
export abstract class RateLimiter {
  /** Counts an act; 0 when it may be done, else the milliseconds until the next may. */
  abstract take(limit: Limit, key: string): number | Promise<number>;
}

/** Takes from a limit that may be off, in which case there is no wait. */
export const waitMsOf = (
  limiter: RateLimiter,
  limit: Limit | undefined,
  key: string,
): number | Promise<number> => (limit ? limiter.take(limit, key) : 0);

/** What a key has used: a bucket's tokens, or the moments of the acts that count. */
type Used = { tokens: number; atMs: number; momentsMs: number[] };

/** Counts in this process's memory, by the given clock. */
export class LocalRateLimiter extends RateLimiter {
  readonly #used = new Map<string, Used>();

  constructor(private readonly clock: Clock) {
    super();
  }

  override take(limit: Limit, key: string): number {
    const id = `${limit.name}:${key}`;
    const nowMs = this.clock.monotonic();
    const used = this.#used.get(id) ?? { tokens: limit.burst, atMs: nowMs, momentsMs: [] };
    // Set anew, so that the map's order is the order of use.
    this.#used.delete(id);
    this.#used.set(id, used);
    this.#forgetOldest();
    return limit.isStrict ? takeMoment(limit, used, nowMs) : takeToken(limit, used, nowMs);
  }

  #forgetOldest(): void {
    if (this.#used.size <= KEYS_MAX) return;
    const [oldest] = this.#used.keys();
    if (oldest !== undefined) this.#used.delete(oldest);
  }
}

const takeToken = ({ burst, fillS }: Limit, bucket: Used, nowMs: number): number => {
  const perMs = burst / (fillS * 1_000);
  bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) * perMs);
  bucket.atMs = nowMs;
  if (bucket.tokens < 1) return Math.ceil((1 - bucket.tokens) / perMs);
  bucket.tokens -= 1;
  return 0;
};

const takeMoment = ({ burst, fillS }: Limit, used: Used, nowMs: number): number => {
  const { momentsMs } = used;
  const earliestMs = momentsMs.length >= burst ? momentsMs[0] : undefined;
  const waitMs = earliestMs === undefined ? 0 : Math.ceil(earliestMs + fillS * 1_000 - nowMs);
  if (waitMs > 0) return waitMs;
  if (earliestMs !== undefined) momentsMs.shift();
  momentsMs.push(nowMs);
  return 0;
};
