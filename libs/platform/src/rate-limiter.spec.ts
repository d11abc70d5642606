import { expect, it } from 'vitest';
import { SteppedClock } from '#testing';
import { LocalRateLimiter, type Limit } from './rate-limiter.js';

const LIMIT: Limit = { name: 'commands', burst: 60, fillS: 60, onStoreDown: 'open' };

it('lets a burst through, then says how long to wait, then as many as time has brought', () => {
  const clock = new SteppedClock();
  const limiter = new LocalRateLimiter(clock);
  const take = () => limiter.take(LIMIT, 'ada');
  const burst = Array.from({ length: 60 }, take);
  expect(burst.every((waitMs) => waitMs === 0)).toBe(true);
  expect(take()).toBe(1_000);
  clock.pass(400);
  expect(take()).toBe(600);
  clock.pass(600);
  expect([take(), take()]).toEqual([0, 1_000]);
  clock.pass(3_600_000);
  const later = Array.from({ length: 61 }, take);
  expect(later.filter((waitMs) => waitMs === 0)).toHaveLength(60);
});

it('counts each key and each limit for itself', () => {
  const limiter = new LocalRateLimiter(new SteppedClock());
  const once: Limit = { ...LIMIT, name: 'codes', burst: 1, fillS: 1 };
  const taken = [
    limiter.take(once, 'ada'),
    limiter.take(once, 'ben'),
    limiter.take({ ...once, name: 'other' }, 'ada'),
    limiter.take(once, 'ada'),
  ];
  expect(taken.map((waitMs) => waitMs > 0)).toEqual([false, false, false, true]);
});

it('[abuse 74] never lets more than a strict burst through in any such span', () => {
  const clock = new SteppedClock();
  const limiter = new LocalRateLimiter(clock);
  const hourly: Limit = { ...LIMIT, burst: 5, fillS: 3_600, isStrict: true };
  const passed: number[] = [];
  for (let second = 0; second < 14_400; second += 30) {
    if (limiter.take(hourly, 'ada') === 0) passed.push(second);
    clock.pass(30_000);
  }
  expect(passed.slice(0, 6)).toEqual([0, 30, 60, 90, 120, 3_600]);
  for (const from of passed)
    expect(passed.filter((at) => at >= from && at < from + 3_600).length).toBeLessThanOrEqual(5);
});
