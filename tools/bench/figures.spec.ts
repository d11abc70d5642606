import { expect, it } from 'vitest';
import { median, percentile, percentilesMs, summaryOf } from './figures.js';

it('a percentile is the value that the share of the others is not above', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([
    50, 95, 99, 100,
  ]);
  expect(percentile([7], 0.5)).toBe(7);
  expect(percentilesMs('ack', [])).toEqual({ ackP50Ms: 0, ackP95Ms: 0, ackP99Ms: 0 });
});

it('a median is the middle, or the mean of the two in the middle', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
});

it('a run with a fault does not count', () => {
  const runs = [
    { figures: { perS: 10 }, faults: [] },
    { figures: { perS: 1_000 }, faults: ['lost 1'] },
    { figures: { perS: 20 }, faults: [] },
  ];
  expect(summaryOf(runs)).toEqual({ medians: { perS: 15 }, counted: 2, runs });
});
