import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { conversation, reject, type Reaction } from '#domain';
import { limitOf, type Limit } from '#platform';
import { OtherStreams } from './beforehand.js';
import type { Accepted } from './held.js';
import { PORTS, type Ports } from './ports.js';
import { ReactionRows } from './reaction-rows.js';
import { Streams } from './streams.js';
import { Ticks } from './ticks.js';
import { Welcome } from './welcome.js';

/** Rows of one event: 64 KiB (design decision 5) of at most 170 characters each. */
const ROWS_PER_EVENT_MAX = 380;
/** Reactions that may wait for the log: about 10 MiB. */
const WAITING_MAX = 32_768;

/** What somebody feels about a message; without an emoji nothing any more. */
export type Reacting = Readonly<{
  conversationId: string;
  messageId: string;
  userId: string;
  device: string;
  emoji?: string | undefined;
}>;

/**
 * The way in for reactions. They are registers, not decisions: of one person and message the last
 * one holds. Checked at the door, gathered for a tick, appended without loading anything.
 */
@Injectable()
export class ReactionsDoor implements OnApplicationShutdown {
  readonly #rows = new ReactionRows();
  readonly #ticks: Ticks<Reaction>;
  readonly #limit: Limit | undefined;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly streams: Streams,
    private readonly others: OtherStreams,
    private readonly welcome: Welcome,
  ) {
    this.#limit = limitOf(ports.config, 'reactions');
    this.#ticks = new Ticks(ports, this.#rows, {
      rowsPerEvent: ROWS_PER_EVENT_MAX,
      eventOf: (reactions, at) => ({ type: 'ReactionsSet', data: { at, reactions } }),
    });
  }

  /**
   * Sets or takes away what a person feels about a message; answers once it is in the log. Throws
   * `not_found` where there is no such message for them, `forbidden` where they are not welcome.
   */
  async react({ conversationId, messageId, userId, device, emoji }: Reacting): Promise<Accepted> {
    await this.#mayDoMore(device);
    await this.others.mustBeIn(conversationId, userId);
    const { seq } = await this.others.message(userId, { conversationId, messageId });
    if (await this.welcome.refusesIn(conversationId, userId))
      reject('forbidden', 'This person cannot be written to.');
    const stream = `conversation-${conversationId}`;
    const { state, position } = await this.streams.look(conversation, stream, seq);
    if (state.deleted.has(messageId)) reject('not_found', 'There is no such message.');
    const data = { conversationId, messageId, ...(emoji === undefined ? {} : { emoji }) };
    const row: Reaction = [conversationId, userId, messageId, seq, emoji ?? ''];
    if (this.#rows.isKept(row)) return { duplicate: true, data, position: String(position) };
    if (this.#rows.size >= WAITING_MAX)
      reject('unavailable', 'Too many reactions wait for the log; try again.');
    const kept = await this.#ticks.kept(this.#rows.add(row));
    return { duplicate: false, data, position: String(kept) };
  }

  /** Brings the last tick to the log before the process ends. */
  onApplicationShutdown(): Promise<void> {
    return this.#ticks.stop();
  }

  async #mayDoMore(device: string): Promise<void> {
    if (!this.#limit) return;
    const retryAfterMs = await this.ports.limiter.take(this.#limit, device);
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many reactions; wait a little.', { retryAfterMs });
  }
}
