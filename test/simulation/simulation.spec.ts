import { describe, expect, it } from 'vitest';
import { simulate } from '../../tools/simulate/simulation.js';
import { told } from '../../tools/simulate/telling.js';

/** Seeds of one run of the suite: 200 within 3 minutes on one core, with room to spare. */
const SEEDS = 200;
const SEEDS_PER_TEST = 50;

describe('a simulated world', () => {
  it('takes the same course from the same seed', async () => {
    const [one, again, other] = [await simulate(7), await simulate(7), await simulate(8)];
    expect(again.history).toStrictEqual(one.history);
    expect(again.trace).toBe(one.trace);
    expect(other.trace).not.toBe(one.trace);
  });

  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST)
    it(`[V1-V15] keeps its promises with the seeds ${first} to ${first + SEEDS_PER_TEST - 1}`, async () => {
      for (let seed = first; seed < first + SEEDS_PER_TEST; seed += 1) {
        const outcome = await simulate(seed);
        if (outcome.violations.length > 0) throw new Error(told(outcome));
        expect(outcome.events).toBeGreaterThan(0);
      }
    });
});
