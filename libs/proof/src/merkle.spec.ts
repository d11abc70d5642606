import { describe, expect, it } from 'vitest';
import { assert, asyncProperty, integer, nat } from 'fast-check';
import { KeptTree } from './kept-tree.js';
import { leafOfBytes } from './leaves.js';
import {
  consistencyPath,
  EMPTY_ROOT,
  GrowingTree,
  inclusionPath,
  isConsistent,
  isIncluded,
  rootOf,
} from './merkle.js';

/** The entries, roots and paths that implementations of RFC 6962 and 9162 share as test vectors. */
const ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const PATHS: readonly [index: number, size: number, path: readonly string[]][] = [
  [0, 1, []],
  [
    0,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    5,
    8,
    [
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [2, 3, ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125']],
  [
    1,
    5,
    [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];
const STEPS: readonly [first: number, second: number, path: readonly string[]][] = [
  [1, 1, []],
  [
    1,
    8,
    [
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ],
  ],
  [
    6,
    8,
    [
      '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
      'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
    ],
  ],
  [
    2,
    5,
    [
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    ],
  ],
];

const hex = (hashes: readonly Buffer[]): string[] => hashes.map((one) => one.toString('hex'));

const treeOf = (size: number): KeptTree => {
  const tree = new KeptTree();
  for (let index = 0; index < size; index += 1) tree.append(leafOfBytes(Buffer.from([index])));
  return tree;
};

const vectors = (size = ENTRIES.length): KeptTree => {
  const tree = new KeptTree();
  for (const entry of ENTRIES.slice(0, size)) tree.append(leafOfBytes(Buffer.from(entry, 'hex')));
  return tree;
};

const rooted = (size: number) => ({ size, root: Buffer.from(ROOTS[size - 1] ?? '', 'hex') });

describe('a Merkle tree', () => {
  it('[Z2] has the roots of the test vectors, and of none its own', () => {
    expect(EMPTY_ROOT.toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(
      ROOTS.map((_, size) =>
        vectors(size + 1)
          .root()
          .toString('hex'),
      ),
    ).toEqual(ROOTS);
  });

  it.each(PATHS)('[Z2] proves leaf %i of %i as the vectors do', async (index, size, path) => {
    const tree = vectors();
    const proof = await inclusionPath(tree.node, index, size);
    expect(hex(proof)).toEqual(path);
    const root = Buffer.from(ROOTS[size - 1] ?? '', 'hex');
    expect(isIncluded(tree.node(0, index), [index, size], proof, root)).toBe(true);
  });

  it.each(STEPS)('[Z2] proves that %i begin %i as the vectors do', async (first, second, path) => {
    const proof = await consistencyPath(vectors().node, first, second);
    expect(hex(proof)).toEqual(path);
    expect(isConsistent(rooted(first), rooted(second), proof)).toBe(true);
  });

  it('[Z2] of any size proves every leaf, and no leaf elsewhere or on another path', async () => {
    const size = 70;
    const tree = treeOf(size);
    for (let index = 0; index < size; index += 1) {
      const path = await inclusionPath(tree.node, index, size);
      const leaf = tree.node(0, index);
      const proves = (at: number, by: readonly Buffer[], of = leaf) =>
        isIncluded(of, [at, size], by, tree.root());
      expect(proves(index, path)).toBe(true);
      expect(proves(index + 1, path)).toBe(false);
      expect(proves(index, path.slice(1))).toBe(false);
      expect(proves(index, [...path, leaf])).toBe(false);
      expect(proves(index, path, tree.node(0, (index + 1) % size))).toBe(false);
    }
  });

  it('[Z2] proves each beginning of each size, and no other tree', async () => {
    await assert(
      asyncProperty(integer({ min: 1, max: 200 }), nat(), async (second, chance) => {
        const first = 1 + (chance % second);
        const tree = treeOf(second);
        const path = await consistencyPath(tree.node, first, second);
        const before = { size: first, root: treeOf(first).root() };
        const after = { size: second, root: tree.root() };
        const other = { size: first, root: leafOfBytes(Buffer.from('another')) };
        expect(isConsistent(before, after, path)).toBe(true);
        expect(isConsistent(other, after, path)).toBe(false);
        expect(isConsistent(before, { ...after, root: other.root }, path)).toBe(false);
      }),
    );
  });

  it('goes on from its peaks as if it had never stopped, and keeps one hash for each', async () => {
    const whole = treeOf(200);
    for (let size = 0; size <= 200; size += 1) {
      const begun = new GrowingTree();
      for (let index = 0; index < size; index += 1) begun.append(whole.node(0, index));
      expect(begun.peaks.length).toBeLessThanOrEqual(Math.ceil(Math.log2(size + 1)));
      expect(begun.root()).toEqual(await rootOf(whole.node, size));
      const resumed = new GrowingTree(size, begun.peaks);
      for (let index = size; index < 200; index += 1) resumed.append(whole.node(0, index));
      expect(resumed.root()).toEqual(whole.root());
    }
    expect(() => new GrowingTree(3, [])).toThrow('3 leaves has not 0');
  });
});
