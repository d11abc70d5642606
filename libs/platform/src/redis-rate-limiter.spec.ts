import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hasRedis, startRedis, SteppedClock, until, type RunningRedis } from '#testing';
import { isLimitName, LIMITS, limitOf } from './limits.js';
import { LocalRateLimiter, type Limit } from './rate-limiter.js';
import { RedisRateLimiter } from './redis-rate-limiter.js';

/** Slow enough that no token comes back while a test runs. */
const SLOW: Limit = { name: 'commands', burst: 5, fillS: 500, onStoreDown: 'open' };

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
    const probe: Limit = { name: 'probe', burst: 1_000, fillS: 1, onStoreDown: 'closed' };
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
    const quick: Limit = { ...SLOW, name: 'quick', burst: 1, fillS: 0.05 };
    const one = limiter();
    await connected(one);
    expect(await one.take(quick, 'ada')).toBe(0);
    for (let waitMs = await one.take(quick, 'ada'); waitMs > 0;) {
      expect(waitMs).toBeLessThanOrEqual(50);
      await sleep(waitMs);
      waitMs = await one.take(quick, 'ada');
    }
  });

  it('count strictly where a limit is strict', async () => {
    const strict: Limit = { ...SLOW, name: 'strict', burst: 3, fillS: 2, isStrict: true };
    const [one, other] = [limiter(), limiter()];
    await Promise.all([one, other].map(connected));
    const waits: number[] = [];
    for (let at = 0; at < 4; at += 1) waits.push(await (at % 2 ? one : other).take(strict, 'ada'));
    expect(waits.slice(0, 3)).toEqual([0, 0, 0]);
    expect(waits[3]).toBeGreaterThan(0);
    expect(waits[3]).toBeLessThanOrEqual(2_000);
    await until(async () => (await one.take(strict, 'ada')) === 0);
  });

  it('[V26] [T17] [R13] hold over three processes, and as each is declared while the store is down', async () => {
    const nodes = [limiter(), limiter(), limiter()];
    await Promise.all(nodes.map(connected));
    const settings = { RATE_LIMIT_COMMANDS: true, LIMITS: {} };
    const names = Object.keys(LIMITS).filter(isLimitName);
    // Slowed down, so that no token comes back in between; bursts cut, so that this is quick.
    const limits = names.flatMap((name) => {
      const limit = limitOf(settings, name);
      return limit ? [{ ...limit, burst: Math.min(limit.burst, 6), fillS: 3_600 }] : [];
    });
    const passing = async (limit: Limit): Promise<number> => {
      const tries = nodes.flatMap((node) =>
        Array.from({ length: limit.burst + 3 }, () => node.take(limit, 'eve')),
      );
      return (await Promise.all(tries)).filter((waitMs) => waitMs === 0).length;
    };
    for (const limit of limits)
      expect([limit.name, await passing(limit)]).toEqual([limit.name, limit.burst]);
    const { url } = redis;
    await redis.stop();
    for (const limit of limits) {
      const expected = limit.onStoreDown === 'open' ? nodes.length * limit.burst : 0;
      expect([limit.name, await passing(limit)]).toEqual([limit.name, expected]);
    }
    expect(new Set(limits.map(({ onStoreDown }) => onStoreDown)).size).toBe(2);
    await until(() => said.length >= nodes.length);
    redis = await startRedis(Number(new URL(url).port));
    await Promise.all(nodes.map(connected));
    for (const limit of limits)
      expect([limit.name, await passing(limit)]).toEqual([limit.name, limit.burst]);
  });
});
