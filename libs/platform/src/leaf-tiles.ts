import { GrowingTree, HASH_BYTES, nodeOf, type NodeSource } from '#proof';
import type { Operations } from './views.js';

/** The collection of `operations` that keeps the tree over the log; made from the log, by the auditor. */
export const LEAF_TILES = 'leaf-tiles';
/** Hashes of a tile, as in C2SP's tlog-tiles: a power of two, so that a tile is one subtree. */
export const TILE_HASHES = 256;
const TILE_LEVELS = Math.log2(TILE_HASHES);
/** Tiles that a reader keeps with what is above their hashes, some 50 KiB each. */
const KEPT_TILES_MAX = 256;

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

/** A subtree's rows over hashes, these first; of a row, only nodes that are complete. */
const rowsOver = (hashes: readonly Buffer[]): readonly (readonly Buffer[])[] => {
  const rows: (readonly Buffer[])[] = [];
  for (let row = hashes; row.length > 0;) {
    rows.push(row);
    const below = row;
    row = below.flatMap((left, at) => {
      const right = below[at + 1];
      return at % 2 === 0 && right ? [nodeOf(left, right)] : [];
    });
  }
  return rows;
};

/** The root over a power of two of hashes. */
const folded = (hashes: readonly Buffer[]): Buffer => {
  const root = rowsOver(hashes).at(-1)?.[0];
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

const holds = (tile: Tile | undefined, position: number): boolean =>
  position >= (tile?.first ?? Infinity) && position <= (tile?.last ?? -1);

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

type Rows = ReturnType<typeof rowsOver>;

/** The tree over the log as it is kept; what is not in a whole tile yet is given. */
export class TileReader {
  readonly #kept = new Map<string, Rows>();
  readonly #tail: Rows;
  #positions: Tile | undefined;

  constructor(
    private readonly operations: Operations,
    private readonly end: number,
    tail: readonly Buffer[],
  ) {
    this.#tail = rowsOver(tail);
  }

  /** Where the last whole tile ends. */
  static async end(operations: Operations): Promise<Omit<TilesEnd, 'leaf'>> {
    const tile = await lastTile(operations);
    if (!tile) return { size: 0, position: -1 };
    return { size: (tile.index + 1) * TILE_HASHES, position: tile.last ?? -1 };
  }

  /** A complete node. Throws when it is not kept. */
  readonly node: NodeSource = async (level, index) => {
    const row = level % TILE_LEVELS;
    const width = TILE_HASHES / 2 ** row;
    const rows = await this.#rows(Math.floor(level / TILE_LEVELS), Math.floor(index / width));
    const node = rows[row]?.[index % width];
    if (!node) throw new Error(`No node ${index} at level ${level} is kept.`);
    return node;
  };

  /** Which leaf the event at a position is; nothing where it is in no whole tile. */
  async indexOf(position: number): Promise<number | undefined> {
    if (!holds(this.#positions, position)) this.#positions = await this.#tileAt(position);
    const { index = 0, positions = [] } = this.#positions ?? {};
    const at = positions.indexOf(position);
    return at < 0 ? undefined : index * TILE_HASHES + at;
  }

  async #tileAt(position: number): Promise<Tile | undefined> {
    const [tile] = await this.operations.find<Tile>(LEAF_TILES, {
      filter: { level: 0, first: { $lte: position } },
      sort: { first: -1 },
      limit: 1,
      fields: ['index', 'first', 'last', 'positions'],
    });
    return tile;
  }

  async #rows(level: number, index: number): Promise<Rows> {
    if (level === 0 && index * TILE_HASHES >= this.end) return this.#tail;
    const id = `${level}:${index}`;
    const known = this.#kept.get(id);
    if (known) return known;
    const tile = await this.operations.get<Tile>(LEAF_TILES, id);
    const hashes = tile ? split(tile.hashes) : await rootsBelow(this.operations, level, index);
    const rows = rowsOver(hashes);
    if (this.#kept.size >= KEPT_TILES_MAX) this.#kept.clear();
    this.#kept.set(id, rows);
    return rows;
  }
}
