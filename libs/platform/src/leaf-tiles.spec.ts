import { describe, expect, it } from 'vitest';
import { inclusionPath, isIncluded, KeptTree, leafOfBytes, rootOf } from '#proof';
import { MemoryOperations } from '#testing';
import { TILE_HASHES, TileReader, TileWriter } from './leaf-tiles.js';

const leaf = (index: number): Buffer => leafOfBytes(Buffer.from(`leaf ${index}`));
const positionOf = (index: number): number => index * 100;

/** A tree in tiles, whose writer was stopped and begun again now and then. */
const written = async (size: number) => {
  const operations = new MemoryOperations();
  const whole = new KeptTree();
  let writer = new TileWriter(operations);
  for (let index = 0; index < size; index += 1) {
    if (index % 700 === 699) {
      writer = new TileWriter(operations);
      const end = await writer.resume();
      const from = end?.size ?? 0;
      expect(end?.position).toBe(from === 0 ? undefined : positionOf(from - 1));
      for (let again = from; again < index; again += 1)
        await writer.add(leaf(again), positionOf(again));
    }
    await writer.add(leaf(index), positionOf(index));
    whole.append(leaf(index));
  }
  const { size: end } = await TileReader.end(operations);
  const tail = Array.from({ length: size - end }, (_, at) => leaf(end + at));
  return { whole, writer, reader: new TileReader(operations, end, tail) };
};

describe('a tree in tiles', () => {
  it.each([1, 255, 256, 257, 1_000, 3_333])(
    '[Z2] of %i leaves is the whole tree, and proves any of its leaves',
    async (size) => {
      const { whole, writer, reader } = await written(size);
      expect(writer.tree.root()).toEqual(whole.root());
      expect(await rootOf(reader.node, size)).toEqual(whole.root());
      for (let index = 0; index < size; index += 1 + Math.floor(size / 40)) {
        const path = await inclusionPath(reader.node, index, size);
        expect(isIncluded(leaf(index), [index, size], path, whole.root())).toBe(true);
        const end = Math.floor(size / TILE_HASHES) * TILE_HASHES;
        const known = await reader.indexOf(positionOf(index));
        expect(known).toBe(index < end ? index : undefined);
      }
    },
  );

  it('[Z2] of more than one tile of tiles has nodes above them', async () => {
    const size = TILE_HASHES * (TILE_HASHES + 3) + 5;
    const { whole, reader } = await written(size);
    expect(await rootOf(reader.node, size)).toEqual(whole.root());
    expect(await reader.node(16, 0)).toEqual(whole.node(16, 0));
  });
});
