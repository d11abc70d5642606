import type { Fact } from './protocol.js';

/** What this run of the client has shown, as its acknowledgements tell it to an auditor. */
export type SeenSum = Readonly<{
  /** Place in the log from which on it counts, a decimal string. */
  from: string;
  /** Facts shown since; only those in a conversation's order. */
  count: number;
  /** XOR of the 16 bytes of their ids, 32 hex digits. */
  ids: string;
  /** Facts shown whose seq was not above the one shown before in their conversation. */
  disorder: number;
}>;

/** A UUID is four words of so many hex digits. */
const WORD_DIGITS = 8;

/** Counts what is shown, so that a server can tell what was lost, doubled or out of order. */
export class Seen {
  #from: number | undefined;
  #count = 0;
  #disorder = 0;
  readonly #ids = new Uint32Array(4);
  readonly #counted = new Map<string, number>();
  readonly #shown = new Map<string, number>();

  /** Begins at a place, unless it has begun. */
  begin(position: number): void {
    this.#from ??= position;
  }

  /** The log is another. */
  reset(): void {
    this.#from = undefined;
    this.#count = 0;
    this.#disorder = 0;
    this.#ids.fill(0);
    this.#counted.clear();
    this.#shown.clear();
  }

  /** The application was shown a fact. */
  show({ conversationId, seq }: Fact): void {
    if (seq < 0) return;
    if (seq <= (this.#shown.get(conversationId) ?? -1)) this.#disorder += 1;
    this.#shown.set(conversationId, seq);
  }

  /**
   * A fact's turn in the order of the log has come: it has been shown, now or earlier (ahead of the
   * others, or by a run that died before it could note how far it was).
   */
  count({ id, conversationId, seq, position }: Fact): void {
    if (seq < 0 || seq <= (this.#counted.get(conversationId) ?? -1)) return;
    this.#counted.set(conversationId, seq);
    if (this.#from === undefined || Number(position) <= this.#from) return;
    this.#count += 1;
    const digits = id.replaceAll('-', '');
    for (let word = 0; word < this.#ids.length; word++) {
      const at = word * WORD_DIGITS;
      const bits = Number.parseInt(digits.slice(at, at + WORD_DIGITS), 16);
      this.#ids[word] = (this.#ids[word] ?? 0) ^ bits;
    }
  }

  /** The sum so far; nothing before it has begun. */
  get sum(): SeenSum | undefined {
    if (this.#from === undefined) return undefined;
    const words = Array.from(this.#ids, (word) => word.toString(16).padStart(WORD_DIGITS, '0'));
    return {
      from: String(Math.max(this.#from, 0)),
      count: this.#count,
      ids: words.join(''),
      disorder: this.#disorder,
    };
  }
}
