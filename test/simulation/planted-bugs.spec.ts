import { describe, expect, it } from 'vitest';
import { firstFinding, PLANTED } from '../../tools/simulate/telling.js';

/** Each bug shows itself within so many seeds. */
const SEEDS = 50;

describe('the simulation finds', () => {
  for (const [bug, invariants] of Object.entries(PLANTED))
    it(`the planted bug ${bug}`, async () => {
      const found = await firstFinding(bug, SEEDS);
      expect(found, `${bug} was not found within ${SEEDS} seeds`).toBeDefined();
      expect(
        found?.violations.some((said) => invariants.some((name) => said.startsWith(name))),
      ).toBe(true);
    });
});
