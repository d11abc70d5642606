import { nodeOf, sha256 } from './leaves.js';

/** The root of a tree without leaves (RFC 9162, 2.1.1). */
export const EMPTY_ROOT = sha256('');

const isEven = (number: number): boolean => number % 2 === 0;
const half = (number: number): number => Math.floor(number / 2);

/** How many complete subtrees a tree of so many leaves has: the ones of its size in binary. */
const peaksOf = (size: number): number => {
  let peaks = 0;
  for (let rest = size; rest > 0; rest = half(rest)) peaks += rest % 2;
  return peaks;
};

/**
 * A Merkle tree in the manner of RFC 9162 that only grows: it keeps one hash for each complete
 * subtree, so its memory is that of the logarithm of its size.
 */
export class GrowingTree {
  readonly #peaks: Buffer[];
  #size: number;

  /** Goes on from a size and the peaks that the tree had there. Throws when they do not fit. */
  constructor(size = 0, peaks: readonly Buffer[] = []) {
    if (peaks.length !== peaksOf(size))
      throw new Error(`A tree of ${size} leaves has not ${peaks.length} complete subtrees.`);
    this.#size = size;
    this.#peaks = [...peaks];
  }

  get size(): number {
    return this.#size;
  }

  /** Roots of the complete subtrees, the largest first. */
  get peaks(): readonly Buffer[] {
    return [...this.#peaks];
  }

  /** Adds a leaf; tells each node that is complete with it, from level 1 up. */
  append(leaf: Buffer, onNode?: (level: number, node: Buffer) => void): void {
    let node = leaf;
    let level = 0;
    for (let rest = this.#size; !isEven(rest); rest = half(rest)) {
      const left = this.#peaks.pop();
      if (!left) throw new Error('The tree has lost a subtree.');
      node = nodeOf(left, node);
      level += 1;
      onNode?.(level, node);
    }
    this.#peaks.push(node);
    this.#size += 1;
  }

  /** The root of what there is now. */
  root(): Buffer {
    return this.#peaks.length === 0
      ? EMPTY_ROOT
      : this.#peaks.reduceRight((right, left) => nodeOf(left, right));
  }
}

/** Gives a complete node: level 0 are leaves, and node `index` spans `2 ** level` of them. */
export type NodeSource = (level: number, index: number) => Buffer | Promise<Buffer>;

/** The largest power of two below `size`. */
const splitOf = (size: number): number => {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
};

/** The hash over leaves `from` to `from + size`, of which `from` is a place where trees split. */
const rangeHash = async (source: NodeSource, from: number, size: number): Promise<Buffer> => {
  const level = Math.log2(size);
  if (Number.isInteger(level)) return source(level, from / size);
  const split = splitOf(size);
  return nodeOf(
    await rangeHash(source, from, split),
    await rangeHash(source, from + split, size - split),
  );
};

/** The hash of a tree of so many leaves, from its nodes. */
export const rootOf = async (source: NodeSource, size: number): Promise<Buffer> =>
  size === 0 ? EMPTY_ROOT : rangeHash(source, 0, size);

/** The path from a leaf to the root of a tree (RFC 9162, 2.1.3.1), nearest first. */
export const inclusionPath = async (
  source: NodeSource,
  index: number,
  size: number,
): Promise<readonly Buffer[]> => {
  if (index < 0 || index >= size) throw new Error(`A tree of ${size} leaves has no leaf ${index}.`);
  const path: Buffer[] = [];
  let [from, width] = [0, size];
  while (width > 1) {
    const split = splitOf(width);
    if (index < from + split) {
      path.push(await rangeHash(source, from + split, width - split));
      width = split;
    } else {
      path.push(await rangeHash(source, from, split));
      from += split;
      width -= split;
    }
  }
  return path.toReversed();
};

/** That a tree of `first` leaves is the beginning of one of `second` (RFC 9162, 2.1.4.1). */
export const consistencyPath = async (
  source: NodeSource,
  first: number,
  second: number,
): Promise<readonly Buffer[]> => {
  if (first < 1 || first > second) throw new Error(`${first} is not between 1 and ${second}.`);
  const path: Buffer[] = [];
  let [from, width, isWhole] = [0, second, true];
  while (first !== from + width) {
    const split = splitOf(width);
    if (first <= from + split) {
      path.push(await rangeHash(source, from + split, width - split));
      width = split;
    } else {
      path.push(await rangeHash(source, from, split));
      from += split;
      width -= split;
      isWhole = false;
    }
  }
  if (!isWhole) path.push(await rangeHash(source, from, width));
  return path.toReversed();
};

/** Where a path stands: a node's place in its row, and that of the row's last. */
type Place = { at: number; last: number };

const up = (place: Place): void => {
  place.at = half(place.at);
  place.last = half(place.last);
};

/** Whether the next node of a path stands on the left; moves up past rows where there is none. */
const isFromLeft = (place: Place): boolean => {
  if (isEven(place.at) && place.at !== place.last) return false;
  while (isEven(place.at) && place.at !== 0) up(place);
  return true;
};

/** Whether a path leads from a leaf to a root (RFC 9162, 2.1.3.2). */
export const isIncluded = (
  leaf: Buffer,
  [index, size]: readonly [index: number, size: number],
  path: readonly Buffer[],
  root: Buffer,
): boolean => {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  const place: Place = { at: index, last: size - 1 };
  let node = leaf;
  for (const step of path) {
    if (place.last === 0) return false;
    node = isFromLeft(place) ? nodeOf(step, node) : nodeOf(node, step);
    up(place);
  }
  return place.last === 0 && node.equals(root);
};

/** A tree's size and root. */
export type Rooted = Readonly<{ size: number; root: Buffer }>;

/** The roots that a path leads to from the node where both trees begin; nothing if it leads nowhere. */
const climbed = (
  start: Buffer,
  place: Place,
  steps: readonly Buffer[],
): readonly [before: Buffer, after: Buffer] | undefined => {
  while (!isEven(place.at)) up(place);
  let [before, after] = [start, start];
  for (const step of steps) {
    if (place.last === 0) return undefined;
    if (isFromLeft(place)) {
      before = nodeOf(step, before);
      after = nodeOf(step, after);
    } else after = nodeOf(after, step);
    up(place);
  }
  return place.last === 0 ? [before, after] : undefined;
};

/** Whether a path shows that one tree is the beginning of another (RFC 9162, 2.1.4.2). */
export const isConsistent = (first: Rooted, second: Rooted, path: readonly Buffer[]): boolean => {
  if (first.size === second.size) return path.length === 0 && first.root.equals(second.root);
  if (first.size < 1 || first.size > second.size) return false;
  const isPower = Number.isInteger(Math.log2(first.size));
  const [start, ...steps] = isPower ? [first.root, ...path] : path;
  const place: Place = { at: first.size - 1, last: second.size - 1 };
  const roots = start && climbed(start, place, steps);
  return roots !== undefined && roots[0].equals(first.root) && roots[1].equals(second.root);
};
