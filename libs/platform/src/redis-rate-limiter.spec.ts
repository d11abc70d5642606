import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRedis, startRedis, SteppedClock, until, type RunningRedis } from '#testing';
import { LocalRateLimiter, type Limit } from './rate-limiter.js';
import { RedisRateLimiter } from './redis-rate-limiter.js';

/** Slow enough that no token comes back while a test runs. */
const SLOW: Limit = { name: 'commands', burst: 5, perSecond: 0.01, onStoreDown: 'open' };

describe.skipIf(!hasRedis())('Buckets in Redis', () => {
  let redis: RunningRedis;
  const limiters: RedisRateLimiter[] = [];
  const said: string[] = [];
  const limiter = (): RedisRateLimiter => {
    const local = new LocalRateLimiter(new SteppedClock());
    const made = new RedisRateLimiter({
      url: redis.url,
      local,
      log: (message) => said.push(message),
    });
    limiters.push(made);
    return made;
  };
  /** A closed limit says whether the store counts. */
  const connected = async (of: RedisRateLimiter): Promise<void> => {
    const probe: Limit = { name: 'probe', burst: 1_000, perSecond: 1_000, onStoreDown: 'closed' };
    await until(async () => (await of.take(probe, String(limiters.length))) === 0);
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    for (const made of limiters) made.close();
    await redis.stop();
  });

  it('[T17] are shared by all processes, and each key and limit has its own', async () => {
    const [one, other] = [limiter(), limiter()];
    await Promise.all([one, other].map(connected));
    const waits: number[] = [];
    for (let at = 0; at < 6; at += 1) waits.push(await (at % 2 ? one : other).take(SLOW, 'ada'));
    expect(waits.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    expect(waits[5]).toBeGreaterThan(90_000);
    expect(await one.take(SLOW, 'ben')).toBe(0);
    expect(await one.take({ ...SLOW, name: 'other' }, 'ada')).toBe(0);
  });

  it('give tokens back with time', async () => {
    const quick: Limit = { ...SLOW, name: 'quick', burst: 1, perSecond: 20 };
    const one = limiter();
    await connected(one);
    expect(await one.take(quick, 'ada')).toBe(0);
    for (let waitMs = await one.take(quick, 'ada'); waitMs > 0;) {
      expect(waitMs).toBeLessThanOrEqual(50);
      await sleep(waitMs);
      waitMs = await one.take(quick, 'ada');
    }
  });

  it('[T17] let open limits go on per process and closed ones close while the store is down', async () => {
    const one = limiter();
    await connected(one);
    const { url } = redis;
    await redis.stop();
    const open = { ...SLOW, name: 'open' };
    const waits: number[] = [];
    for (let at = 0; at < 6; at += 1) waits.push(await one.take(open, 'ada'));
    expect(waits.map((waitMs) => waitMs > 0)).toEqual([false, false, false, false, false, true]);
    expect(await one.take({ ...open, onStoreDown: 'closed' }, 'eve')).toBeGreaterThan(0);
    await until(() => said.length > 0);
    redis = await startRedis(Number(new URL(url).port));
    await connected(one);
  });
});
