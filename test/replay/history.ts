import type { Message } from '../../tools/replay/formats.js';

const WORDS = 'the log is only truth all else a fold of it 🙂 नमस्ते שלום'.split(' ');

/** A history of made-up talk: the same seed gives the same, so a second run can repeat it. */
export const talk = (
  seed: number,
  { rooms, people, messages }: Readonly<Record<'rooms' | 'people' | 'messages', number>>,
): readonly Message[] => {
  // Numerical Recipes' linear congruential generator, modulo 2^32.
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return Array.from({ length: messages }, (_, at) => {
    const text = Array.from({ length: 1 + below(12) }, () => WORDS[below(WORDS.length)]).join(' ');
    return {
      id: `${seed}-${at}`,
      room: `room-${seed}-${at % rooms}`,
      author: `author-${seed}-${below(people)}`,
      text,
    };
  });
};
