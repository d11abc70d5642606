import { expect, it } from 'vitest';
import { MemoryOperations, SteppedClock } from '#testing';
import { SystemRandom, SystemTimer } from './clock.js';
import { ERRORS, metricsText, tallies, tally, TallyKeeper, type KeptTally } from './tallies.js';

const keeper = (operations: MemoryOperations, clock: SteppedClock): TallyKeeper =>
  new TallyKeeper({ operations, clock, timer: new SystemTimer(), random: new SystemRandom() }, 'p');

const kept = (operations: MemoryOperations, code: string) =>
  operations.find<KeptTally>(ERRORS, { filter: { code } });

it('[L5] counts what goes wrong by the minute, and writes again what could not be written', async () => {
  const [operations, clock] = [new MemoryOperations(), new SteppedClock()];
  const counts = keeper(operations, clock);
  const code = 'minute';
  tally('refused', code, 'here');
  await counts.write();
  tally('refused', code, 'here');
  Object.assign(operations, { putAll: () => Promise.reject(new Error('away')) });
  await expect(counts.write()).rejects.toThrow('away');
  Reflect.deleteProperty(operations, 'putAll');
  await counts.write();
  await counts.write();
  clock.pass(60_000);
  tally('refused', code, 'here');
  await counts.write();
  const found = await kept(operations, code);
  expect(found.map(({ count }) => count)).toEqual([2, 1]);
  expect(new Set(found.map(({ at }) => at)).size).toBe(2);
  expect(metricsText()).toContain('{kind="refused",code="minute",place="here"} 3\n');
});

it('[L5] is not filled by whoever makes up codes, nor do they break the text', () => {
  tally('failed', 'a"b\n{}', 'x'.repeat(10_000));
  expect(metricsText()).toContain(`code="a_b___",place="${'x'.repeat(64)}"`);
  for (let made = 0; made < 5_000; made += 1) tally('refused', `made up ${made}`, 'here');
  expect(tallies().length).toBeLessThan(1_100);
  expect(metricsText()).toContain('kind="refused",code="other",place="other"');
});
