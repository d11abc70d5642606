import { Inject, Injectable, Logger } from '@nestjs/common';
import type { Reaction, ReactionsSet, Recorded, StoredEntry } from '#domain';
import { PORTS, type Ports } from '#commands';
import { emissionOf } from './frames.js';
import { Rooms } from './rooms.js';

/** Messages whose place is remembered: what is reacted to was mostly said a moment ago. */
const REMEMBERED_MAX = 16_384;
/** How long the read models may take to know an older message (ms). */
const KNOWN_WITHIN_MS = 5_000;

/** A reaction as clients hear of it; without an emoji it was taken away. */
export type SetReaction = Readonly<{
  conversationId: string;
  messageId: string;
  seq: number;
  userId: string;
  emoji?: string;
}>;

const told = ([conversationId, userId, messageId, seq, emoji]: Reaction): SetReaction => ({
  conversationId,
  messageId,
  seq,
  userId,
  ...(emoji === '' ? {} : { emoji }),
});

/** Tells rooms of reactions; nobody hears of one to a message from before they came. */
@Injectable()
export class ReactionNews {
  readonly #logger = new Logger('ReactionNews');
  /** Places in the log of the latest messages. */
  readonly #places = new Map<string, number>();

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly rooms: Rooms,
  ) {}

  /** A message was said. */
  said(messageId: string, position: number): void {
    this.#places.set(messageId, position);
    if (this.#places.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined) this.#places.delete(oldest);
  }

  /** Tells of a tick of reactions; what is about older messages is looked up beside the loop. */
  tell(event: Recorded<ReactionsSet>): void {
    const heard = event.data.reactions.filter(([room]) => this.rooms.in(room).size > 0);
    const isKnown = ([, , messageId]: Reaction) => this.#places.has(messageId);
    this.#emit(event, heard.filter(isKnown), this.#places);
    const older = heard.filter((reaction) => !isKnown(reaction));
    if (older.length > 0) void this.#tellLater(event, older);
  }

  async #tellLater(event: Recorded<ReactionsSet>, older: readonly Reaction[]): Promise<void> {
    const { views } = this.ports;
    try {
      if (!(await views.reached(['history'], event.position, KNOWN_WITHIN_MS))) return;
      const ids = [...new Set(older.map(([, , messageId]) => messageId))];
      const found = await views.get<StoredEntry>('history', ids);
      this.#emit(event, older, new Map(found.map(({ _id, place }) => [_id, place])));
    } catch (error) {
      // Whoever looks at the message next sees how it stands.
      this.#logger.warn(`Reactions were not told: ${String(error)}`);
    }
  }

  /** One emission for each conversation and stretch of time in which readers came to it. */
  #emit(
    { id, position }: Recorded,
    reactions: readonly Reaction[],
    places: ReadonlyMap<string, number>,
  ): void {
    for (const [conversationId, own] of Map.groupBy(reactions, ([room]) => room)) {
      for (const [place, rows] of Map.groupBy(own, ([, , messageId]) => places.get(messageId))) {
        if (place === undefined) continue;
        const news = { v: 1, id, position: String(position), reactions: rows.map(told) };
        const emission = emissionOf('reactions.set', news, { position });
        this.rooms.tellThose(conversationId, place, emission);
      }
    }
  }
}
