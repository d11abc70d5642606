import { expect, it } from 'vitest';
import { Path } from './path.js';

const seen = { from: '10', count: 3, ids: '0'.repeat(32), disorder: 0 };

it('keeps the pages of a resume as one stretch and what follows live as another', () => {
  const path = new Path();
  path.acknowledged(10);
  path.resume();
  path.paged(20);
  path.acknowledged(20);
  path.resume();
  path.paged(30);
  path.live(35);
  path.told(40);
  expect(path.taken(5)).toEqual({
    path: [
      { path: 'sync', from: 10, to: 35, at: 5 },
      { path: 'socket', from: 35, to: 40, at: 5 },
    ],
    told: 40,
    acknowledged: 20,
    live: true,
  });
});

it('is dirty only while something changed that is not written', () => {
  const path = new Path();
  path.live(35);
  expect(path.isDirty).toBe(true);
  path.taken(5);
  expect(path.isDirty).toBe(false);
  path.acknowledged(35);
  expect(path.isDirty).toBe(true);
  path.taken(6);
  path.acknowledged(30);
  expect(path.isDirty).toBe(false);
  path.told(50);
  expect(path.isDirty).toBe(true);
});

it('stamps a stretch with when it last grew', () => {
  const path = new Path();
  path.live(1);
  path.taken(5);
  path.acknowledged(1);
  expect(path.taken(6).path).toEqual([{ path: 'socket', from: 1, to: 1, at: 5 }]);
  path.told(2);
  expect(path.taken(7).path).toEqual([{ path: 'socket', from: 1, to: 2, at: 7 }]);
});

it('ends the live stretch where a reader falls behind, and keeps what was seen', () => {
  const path = new Path();
  path.live(10);
  path.told(20);
  path.seen(seen, 15);
  path.stop();
  path.told(90);
  expect(path.taken(5)).toMatchObject({
    path: [{ path: 'socket', from: 10, to: 20 }],
    live: false,
    seen: { ...seen, upTo: 15 },
  });
});

it('keeps the last stretches of a device that falls behind again and again', () => {
  const path = new Path();
  for (let round = 0; round < 20; round++) {
    path.acknowledged(round * 10);
    path.resume();
    path.live(round * 10 + 5);
    path.told(round * 10 + 8);
    path.stop();
  }
  expect(path.taken(5).path).toHaveLength(8);
  expect(path.taken(5).path.at(-1)).toMatchObject({ path: 'socket', from: 195, to: 198 });
});
