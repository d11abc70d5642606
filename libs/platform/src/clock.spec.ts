import { expect, it } from 'vitest';
import { SystemRandom } from './clock.js';

it('gives bytes that never come again and that nobody else writes to', () => {
  const random = new SystemRandom();
  const drawn = Array.from({ length: 2_000 }, (_, at) => random.bytes(32 + (at % 13)));
  const seen = drawn.map((bytes) => bytes.toString('hex', 0, 16));
  expect(new Set(seen).size).toBe(drawn.length);
  for (let more = 0; more < 2_000; more += 1) random.bytes(44);
  expect(drawn.map((bytes) => bytes.toString('hex', 0, 16))).toEqual(seen);
  expect(random.bytes(10_000)).toHaveLength(10_000);
});
