import { HASH_BYTES } from './leaves.js';
import { GrowingTree } from './merkle.js';

/** Hashes in a block. */
const BLOCK_HASHES = 4_096;

/** A tree that keeps all its nodes, 64 bytes for a leaf, and so can prove any of them. */
export class KeptTree {
  readonly #tree = new GrowingTree();
  /** By level, in blocks. */
  readonly #levels: { blocks: Buffer[]; count: number }[] = [];

  get size(): number {
    return this.#tree.size;
  }

  append(leaf: Buffer): void {
    this.#keep(0, leaf);
    this.#tree.append(leaf, (level, node) => this.#keep(level, node));
  }

  root(): Buffer {
    return this.#tree.root();
  }

  /** A complete node of this tree. Throws when there is none. */
  readonly node = (level: number, index: number): Buffer => {
    const kept = this.#levels[level];
    const block = kept?.blocks[Math.floor(index / BLOCK_HASHES)];
    if (!block || index >= (kept?.count ?? 0))
      throw new Error(`The tree has no node ${index} at level ${level}.`);
    const at = (index % BLOCK_HASHES) * HASH_BYTES;
    return block.subarray(at, at + HASH_BYTES);
  };

  #keep(level: number, node: Buffer): void {
    const kept = (this.#levels[level] ??= { blocks: [], count: 0 });
    const place = kept.count % BLOCK_HASHES;
    if (place === 0) kept.blocks.push(Buffer.alloc(BLOCK_HASHES * HASH_BYTES));
    node.copy(kept.blocks.at(-1) ?? node, place * HASH_BYTES);
    kept.count += 1;
  }
}
