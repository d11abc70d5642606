import { GrowingTree, HASH_BYTES, nodeOf, type NodeSource } from '#proof';
import type { Operations } from './views.js';

/** The collection of `operations` that keeps the tree over the log; made from the log, by the auditor. */
export const LEAF_TILES = 'leaf-tiles';
/** Hashes of a tile, as in C2SP's tlog-tiles: a power of two, so that a tile is one subtree. */
export const TILE_HASHES = 256;
const TILE_LEVELS = Math.log2(TILE_HASHES);
/** Tiles that a reader keeps, 8 KiB each. */
const KEPT_TILES_MAX = 1_000;

/**
 * A complete subtree's hashes in base64. Level 0 are leaves, with their positions in the log and
 * the peaks of the tree up to here; at level 1 each hash is that of a whole tile of level 0.
 */
type Tile = Readonly<{
  _id: string;
  level: number;
  index: number;
  root: string;
  hashes: string;
  first?: number;
  last?: number;
  positions?: readonly number[];
  peaks?: string;
}>;

const split = (base64: string): Buffer[] => {
  const bytes = Buffer.from(base64, 'base64');
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, at) =>
    bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
};

const joined = (hashes: readonly Buffer[]): string => Buffer.concat(hashes).toString('base64');

/** The root over a power of two of hashes. */
const folded = (hashes: readonly Buffer[]): Buffer => {
  let row = [...hashes];
  while (row.length > 1)
    row = row.flatMap((left, at) => {
      const right = row[at + 1];
      return at % 2 === 0 && right ? [nodeOf(left, right)] : [];
    });
  const [root] = row;
  if (!root) throw new Error('There is nothing to fold.');
  return root;
};

const tileOf = (level: number, index: number, hashes: readonly Buffer[]): Tile => ({
  _id: `${level}:${index}`,
  level,
  index,
  root: folded(hashes).toString('base64'),
  hashes: joined(hashes),
});

/** Hashes of a level above: the roots of the tiles below, as far as there are any. */
const rootsBelow = async (
  operations: Operations,
  level: number,
  index: number,
): Promise<readonly Buffer[]> => {
  const from = index * TILE_HASHES;
  const below = await operations.find<Tile>(LEAF_TILES, {
    filter: { level: level - 1, index: { $gte: from, $lt: from + TILE_HASHES } },
    sort: { index: 1 },
    fields: ['index', 'root'],
  });
  return below
    .filter((tile, at) => tile.index === from + at)
    .map(({ root }) => Buffer.from(root, 'base64'));
};

/** Makes the collection's indexes. */
export const prepareTiles = (operations: Operations): Promise<void> =>
  operations.prepare(LEAF_TILES, [
    { key: { level: 1, index: 1 } },
    { key: { level: 1, first: 1 } },
  ]);

const lastTile = async (operations: Operations): Promise<Tile | undefined> => {
  const [tile] = await operations.find<Tile>(LEAF_TILES, {
    filter: { level: 0 },
    sort: { index: -1 },
    limit: 1,
  });
  return tile;
};

/** Where the last whole tile ends: leaves, position in the log, and the leaf there. */
export type TilesEnd = Readonly<{ size: number; position: number; leaf: Buffer }>;

/** Grows the tree over the log, and keeps it by the tile. */
export class TileWriter {
  #tree = new GrowingTree();
  #leaves: Buffer[] = [];
  #positions: number[] = [];

  constructor(private readonly operations: Operations) {}

  get tree(): GrowingTree {
    return this.#tree;
  }

  /** Goes on after the last whole tile; nothing where there is none. */
  async resume(): Promise<TilesEnd | undefined> {
    await prepareTiles(this.operations);
    const tile = await lastTile(this.operations);
    const leaf = tile && split(tile.hashes).at(-1);
    if (!tile || !leaf) return undefined;
    const size = (tile.index + 1) * TILE_HASHES;
    this.#tree = new GrowingTree(size, split(tile.peaks ?? ''));
    return { size, position: tile.last ?? -1, leaf };
  }

  /** Adds the next leaf. */
  async add(leaf: Buffer, position: number): Promise<void> {
    this.#tree.append(leaf);
    this.#leaves.push(leaf);
    this.#positions.push(position);
    if (this.#tree.size % TILE_HASHES === 0) await this.#keep();
  }

  async #keep(): Promise<void> {
    const [hashes, positions] = [this.#leaves, this.#positions];
    [this.#leaves, this.#positions] = [[], []];
    let index = this.#tree.size / TILE_HASHES - 1;
    const place = { first: positions[0] ?? -1, last: positions.at(-1) ?? -1, positions };
    const tile = { ...tileOf(0, index, hashes), ...place, peaks: joined(this.#tree.peaks) };
    await this.operations.putAll(LEAF_TILES, [tile]);
    for (let level = 1; (index + 1) % TILE_HASHES === 0; level += 1) {
      index = (index + 1) / TILE_HASHES - 1;
      const roots = await rootsBelow(this.operations, level, index);
      await this.operations.putAll(LEAF_TILES, [tileOf(level, index, roots)]);
    }
  }
}

/** The tree over the log as it is kept; what is not in a whole tile yet is given. */
export class TileReader {
  readonly #kept = new Map<string, readonly Buffer[]>();

  constructor(
    private readonly operations: Operations,
    private readonly end: number,
    private readonly tail: readonly Buffer[],
  ) {}

  /** Where the last whole tile ends. */
  static async end(operations: Operations): Promise<Omit<TilesEnd, 'leaf'>> {
    const tile = await lastTile(operations);
    if (!tile) return { size: 0, position: -1 };
    return { size: (tile.index + 1) * TILE_HASHES, position: tile.last ?? -1 };
  }

  /** A complete node. Throws when it is not kept. */
  readonly node: NodeSource = async (level, index) => {
    const width = 2 ** (level % TILE_LEVELS);
    const from = index * width;
    const hashes = await this.#hashes(Math.floor(level / TILE_LEVELS), from);
    const at = from % TILE_HASHES;
    if (hashes.length < at + width) throw new Error(`No node ${index} at level ${level} is kept.`);
    return folded(hashes.slice(at, at + width));
  };

  /** Which leaf the event at a position is. */
  async indexOf(position: number): Promise<number | undefined> {
    const [tile] = await this.operations.find<Tile>(LEAF_TILES, {
      filter: { level: 0, first: { $lte: position } },
      sort: { first: -1 },
      limit: 1,
      fields: ['index', 'positions'],
    });
    const at = tile?.positions?.indexOf(position) ?? -1;
    return tile && at >= 0 ? tile.index * TILE_HASHES + at : undefined;
  }

  async #hashes(level: number, from: number): Promise<readonly Buffer[]> {
    if (level === 0 && from >= this.end) return this.tail;
    const index = Math.floor(from / TILE_HASHES);
    const id = `${level}:${index}`;
    const known = this.#kept.get(id);
    if (known) return known;
    const tile = await this.operations.get<Tile>(LEAF_TILES, id);
    const hashes = tile ? split(tile.hashes) : await rootsBelow(this.operations, level, index);
    if (this.#kept.size >= KEPT_TILES_MAX) this.#kept.clear();
    this.#kept.set(id, hashes);
    return hashes;
  }
}
