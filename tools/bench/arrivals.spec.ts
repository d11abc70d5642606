import { assert, property, subarray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Arrivals } from './arrivals.js';

const showing = (seqs: readonly number[]): Arrivals => {
  const arrivals = new Arrivals();
  for (const seq of seqs) arrivals.arrived('c', seq);
  return arrivals;
};

const found = (seqs: readonly number[], head: number) => {
  const arrivals = showing(seqs);
  const { duplicated, misordered } = arrivals;
  return { lost: arrivals.lost('c', 1, head), duplicated, misordered };
};

describe('the check of deliveries', () => {
  it('is content with every message once and in order', () => {
    expect(found([1, 2, 3, 4], 4)).toEqual({ lost: 0, duplicated: 0, misordered: 0 });
  });

  it('sees one that never came: in the middle, at the end, or all of them', () => {
    expect(found([1, 2, 4], 4)).toEqual({ lost: 1, duplicated: 0, misordered: 0 });
    expect(found([1, 2], 4)).toEqual({ lost: 2, duplicated: 0, misordered: 0 });
    expect(found([], 4)).toEqual({ lost: 4, duplicated: 0, misordered: 0 });
  });

  it('sees one that came twice, and does not let it stand for one that is lost', () => {
    expect(found([1, 2, 2, 4], 4)).toEqual({ lost: 1, duplicated: 1, misordered: 0 });
  });

  it('sees two that changed places', () => {
    expect(found([1, 3, 2, 4], 4)).toEqual({ lost: 0, duplicated: 0, misordered: 1 });
  });

  it('finds exactly what was taken out and put in, wherever', () => {
    assert(
      property(subarray([2, 3, 4, 5, 6, 7, 8]), subarray([2, 4, 6, 8]), (gone, twice) => {
        const shown = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((seq) => !gone.includes(seq));
        const again = twice.filter((seq) => !gone.includes(seq));
        const seen = shown.flatMap((seq) => (again.includes(seq) ? [seq, seq] : [seq]));
        expect(found(seen, 9)).toEqual({
          lost: gone.length,
          duplicated: again.length,
          misordered: 0,
        });
      }),
    );
  });
});
