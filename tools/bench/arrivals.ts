/** What a device has been shown of one conversation. */
type Stay = { next: number; missing: Set<number> };

/** Checks that each device is shown every message of its conversations once, in the order of seq. */
export class Arrivals {
  readonly #stays = new Map<string, Stay>();
  #duplicated = 0;
  #misordered = 0;

  get duplicated(): number {
    return this.#duplicated;
  }

  get misordered(): number {
    return this.#misordered;
  }

  /** A fact has come. False if it had come before. */
  arrived(conversationId: string, seq: number): boolean {
    const stay = this.#stays.get(conversationId);
    if (!stay) {
      this.#stays.set(conversationId, { next: seq + 1, missing: new Set() });
      return true;
    }
    if (seq === stay.next) {
      stay.next += 1;
      return true;
    }
    if (seq > stay.next) {
      for (let between = stay.next; between < seq; between += 1) stay.missing.add(between);
      stay.next = seq + 1;
      return true;
    }
    if (stay.missing.delete(seq)) {
      this.#misordered += 1;
      return true;
    }
    this.#duplicated += 1;
    return false;
  }

  /** Facts that have not come, of a conversation from one seq up to another. */
  lost(conversationId: string, first: number, head: number): number {
    if (head < first) return 0;
    const stay = this.#stays.get(conversationId);
    return stay ? stay.missing.size + Math.max(0, head + 1 - stay.next) : head + 1 - first;
  }
}
