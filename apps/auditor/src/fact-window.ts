import { addTally, emptyTally, wordsOf, type Tally } from './tally.js';

/**
 * Facts that one half of the window holds: 40 bytes each beside what a conversation costs, so both
 * halves stay under 30 MiB.
 */
const HALF_FACTS_MAX = 250_000;

/** A conversation's facts in one half: places, and after each the XOR of all ids so far. */
type Strip = { positions: number[]; sums: number[] };

/** The index of the first place above a position. */
const above = (positions: readonly number[], position: number): number => {
  let [low, high] = [0, positions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((positions[middle] ?? 0) <= position) low = middle + 1;
    else high = middle;
  }
  return low;
};

const addSumTo = (tally: Tally, count: number, { sums }: Strip, index: number): void => {
  const at = 4 * index;
  if (index < 0) tally.count += count;
  else
    addTally(tally, count, [
      sums[at] ?? 0,
      sums[at + 1] ?? 0,
      sums[at + 2] ?? 0,
      sums[at + 3] ?? 0,
    ]);
};

/** Some of the log's facts in their order, by conversation. */
class Half {
  readonly #strips = new Map<string, Strip>();
  size = 0;

  add(conversationId: string, position: number, id: string): void {
    let strip = this.#strips.get(conversationId);
    if (!strip) this.#strips.set(conversationId, (strip = { positions: [], sums: [] }));
    const { positions, sums } = strip;
    const last = sums.length - 4;
    const words = wordsOf(id);
    positions.push(position);
    for (const [at, word] of words.entries()) sums.push((sums[last + at] ?? 0) ^ word);
    this.size += 1;
  }

  addTo(tally: Tally, conversationId: string, from: number, to: number): void {
    const strip = this.#strips.get(conversationId);
    if (!strip || (strip.positions.at(-1) ?? -1) <= from) return;
    const first = above(strip.positions, from);
    const end = above(strip.positions, to);
    if (end <= first) return;
    addSumTo(tally, end, strip, end - 1);
    addSumTo(tally, -first, strip, first - 1);
  }
}

/**
 * The log's latest facts, so that what a device must have been shown is summed and not looked up.
 * Bounded: when the newer half is full, the older one is forgotten.
 */
export class FactWindow {
  #older = new Half();
  #newer = new Half();
  #turnedAt: number;
  #from: number;
  #to: number;

  /** Begins after a position of the log. */
  constructor(
    from: number,
    private readonly halfMax: number = HALF_FACTS_MAX,
  ) {
    this.#from = from;
    this.#to = from;
    this.#turnedAt = from;
  }

  /** It holds every fact after this position. */
  get from(): number {
    return this.#from;
  }

  get size(): number {
    return this.#older.size + this.#newer.size;
  }

  /** Takes the next fact of the log. */
  add(conversationId: string, position: number, id: string): void {
    if (this.#newer.size >= this.halfMax) {
      this.#older = this.#newer;
      this.#newer = new Half();
      this.#from = this.#turnedAt;
      this.#turnedAt = this.#to;
    }
    this.#newer.add(conversationId, position, id);
    this.#to = position;
  }

  /** Adds a conversation's facts after `from`, up to and with `to`. */
  addTo(tally: Tally, conversationId: string, from: number, to: number): void {
    this.#older.addTo(tally, conversationId, from, to);
    this.#newer.addTo(tally, conversationId, from, to);
  }

  /** Of one conversation alone. */
  tally(conversationId: string, from: number, to: number): Tally {
    const tally = emptyTally();
    this.addTo(tally, conversationId, from, to);
    return tally;
  }
}
