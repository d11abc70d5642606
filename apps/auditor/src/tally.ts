/** A number of facts and the XOR of their ids, as four words of 32 bits. */
export type Tally = { count: number; words: [number, number, number, number] };

/** Nothing yet. */
export const emptyTally = (): Tally => ({ count: 0, words: [0, 0, 0, 0] });

/** The 16 bytes of a UUID as four words. */
export const wordsOf = (id: string): Tally['words'] => {
  const hex = id.replaceAll('-', '');
  const word = (at: number) => Number.parseInt(hex.slice(at, at + 8), 16) | 0;
  return [word(0), word(8), word(16), word(24)];
};

/** Adds facts to a tally; a tally added twice cancels its ids out. */
export const addTally = (tally: Tally, count: number, words: Readonly<Tally['words']>): void => {
  tally.count += count;
  tally.words[0] ^= words[0];
  tally.words[1] ^= words[1];
  tally.words[2] ^= words[2];
  tally.words[3] ^= words[3];
};

/** The XOR as 32 hex digits, as SDKs write it. */
export const hexOf = ({ words }: Tally): string =>
  words.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
