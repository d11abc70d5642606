import { Injectable } from '@nestjs/common';
import { reject, type ConversationView, type StoredEntry } from '#domain';
import { QUERIES, Views } from '#platform';
import type { TranscriptFact } from './shown-facts.js';
import { Transcript } from './transcript.js';

/** Where to look: at a seq, at a message, or at a time. */
export type Spot =
  Readonly<{ seq: number }> | Readonly<{ messageId: string }> | Readonly<{ at: string }>;

/** Facts around a place, in the order of seq, and where to go on in either direction. */
export type Passage = Readonly<{
  items: readonly TranscriptFact[];
  /** The seq that was looked for; where there is none, the end. */
  seq: number;
  before?: string;
  after?: string;
}>;

/** A part of a conversation that one jumps to. */
@Injectable()
export class Passages {
  constructor(
    private readonly views: Views,
    private readonly transcript: Transcript,
  ) {}

  /** As many facts as asked for, half of them before the place. */
  async around(
    userId: string,
    conversationId: string,
    spot: Spot,
    limit: number,
  ): Promise<Passage> {
    const seq = await this.#seqOf(userId, conversationId, spot);
    const half = Math.ceil(limit / 2);
    const from = { after: seq - 1, limit: half };
    const later = await this.transcript.page(userId, conversationId, from);
    const rest = { before: seq, limit: Math.max(1, limit - half) };
    const earlier = await this.transcript.page(userId, conversationId, rest);
    return {
      items: [...earlier.items, ...later.items],
      seq,
      ...(earlier.cursor === undefined ? {} : { before: earlier.cursor }),
      ...(later.cursor === undefined ? {} : { after: later.cursor }),
    };
  }

  /** One message, by what a permalink says; `not_found` for who may not read it. */
  async message(
    userId: string,
    conversationId: string,
    messageId: string,
  ): Promise<TranscriptFact> {
    const [fact] = await this.transcript.named(userId, conversationId, [messageId]);
    return fact ?? reject('not_found', 'There is no such message.');
  }

  async #seqOf(userId: string, conversationId: string, spot: Spot): Promise<number> {
    if ('seq' in spot) return spot.seq;
    if ('messageId' in spot)
      return (await this.message(userId, conversationId, spot.messageId)).seq;
    return this.#firstAt(conversationId, Date.parse(spot.at));
  }

  /**
   * The seq of the first fact at or after a time. Times grow with seq but for the difference of
   * clocks, so halving finds it: some twenty steps for a million facts, each by the index on seq.
   */
  async #firstAt(conversationId: string, atMs: number): Promise<number> {
    const [view] = await this.views.get<ConversationView>('conversations', [conversationId]);
    let [low, high] = [0, (view?.head ?? -1) + 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const asked = QUERIES.factAfterSeq(conversationId, middle - 1);
      const [entry] = await this.views.find<StoredEntry>('history', asked);
      if (entry === undefined || Date.parse(entry.at) >= atMs) high = middle;
      else low = entry.seq + 1;
    }
    return low;
  }
}
