import type { StoredEntry } from '#domain';
import { QUERIES, type Views } from '#platform';
import type { FactWindow } from './fact-window.js';
import type { Stays, StaysIn } from './stays.js';
import { addTally, emptyTally, wordsOf, type Tally } from './tally.js';

/** Facts read from history for one comparison; a device that missed more is taken at its word. */
export const HISTORY_FACTS_MAX = 10_000;
/** Facts one question to the history asks for. */
const PAGE_FACTS = 1_000;

/** Why there is no tally: `later` it can be made, or there is `too-much` to read. */
export type Unknown = 'later' | 'too-much';

/** What a person must have been shown: every fact of a conversation's order within their stays. */
export class Expectation {
  constructor(
    private readonly window: FactWindow,
    private readonly stays: Stays,
    private readonly views: Views,
  ) {}

  /** Whether a stretch lies in what is remembered of the log, so that nothing has to be read. */
  isAtHand(from: number): boolean {
    return from >= this.window.from;
  }

  /** The tally of a person's facts after `from`, up to and with `to`. */
  async of(userId: string, from: number, to: number): Promise<Tally | Unknown> {
    const stays = await this.stays.of(userId);
    if (!stays) return 'later';
    const tally = emptyTally();
    const remembered = Math.max(from, this.window.from);
    for (const { conversationId, intervals } of stays)
      for (const { from: joined, to: left = to } of intervals) {
        const first = Math.max(remembered, joined - 1);
        if (left > remembered && joined <= to)
          this.window.addTo(tally, conversationId, first, Math.min(left, to));
      }
    if (from >= this.window.from) return tally;
    return this.#read(tally, stays, from, Math.min(to, this.window.from));
  }

  /** What came before the window is in the history. */
  async #read(
    tally: Tally,
    stays: readonly StaysIn[],
    from: number,
    to: number,
  ): Promise<Tally | Unknown> {
    if (!(await this.views.reached(['history'], to, 0))) return 'later';
    const intervals = new Map(stays.map((stay) => [stay.conversationId, stay.intervals]));
    let after = from;
    for (let read = 0; read < HISTORY_FACTS_MAX; read += PAGE_FACTS) {
      const stretch = { from: after, to };
      const { view, ...query } = QUERIES.factsBetween([...intervals.keys()], stretch, PAGE_FACTS);
      const found = await this.views.find<StoredEntry>(view, {
        ...query,
        fields: ['conversationId', 'seq', 'place'],
      });
      for (const { _id, conversationId, seq, place: position } of found) {
        const isTheirs = (intervals.get(conversationId) ?? []).some(
          ({ from: joined, to: left }) =>
            position >= joined && (left === undefined || position <= left),
        );
        if (isTheirs && seq >= 0) addTally(tally, 1, wordsOf(_id));
      }
      after = found.at(-1)?.place ?? to;
      if (found.length < PAGE_FACTS) return tally;
    }
    return 'too-much';
  }
}
