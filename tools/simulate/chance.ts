import { Random } from '#platform';

/** Whole numbers below a bound. */
export type Draw = (below: number) => number;

/** Numbers from a seed (mulberry32): the same seed gives the same ones on every machine. */
export const drawing = (seed: number): Draw => {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
};

/** A number from `from` up to, and not including, `to`. */
export const between = (draw: Draw, from: number, to: number): number => from + draw(to - from);

/** One of some; nothing of none. */
export const oneOf = <T>(draw: Draw, some: readonly T[]): T | undefined => some[draw(some.length)];

/** True so many times in a hundred. */
export const percent = (draw: Draw, chance: number): boolean => draw(100) < chance;

/** Fills with bytes. */
export const fill = <B extends Uint8Array>(draw: Draw, bytes: B): B => {
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = draw(256);
  return bytes;
};

/** The chance of every node, from the seed. */
export class SimulatedRandom extends Random {
  constructor(private readonly draw: Draw) {
    super();
  }

  override uuid(): string {
    const bytes = this.bytes(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = bytes.toString('hex');
    const cuts = [0, 8, 12, 16, 20, 32];
    return cuts
      .slice(0, -1)
      .map((from, index) => hex.slice(from, cuts[index + 1]))
      .join('-');
  }

  override bytes(count: number): Buffer {
    return fill(this.draw, Buffer.alloc(count));
  }

  override integer(below: number): number {
    return this.draw(below);
  }
}
