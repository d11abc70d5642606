import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import {
  audience,
  conversation,
  receiptStreamOf,
  reject,
  type Conversation,
  type Mark,
} from '#domain';
import { limitOf, type Limit } from '#platform';
import { answered } from './answered.js';
import type { Accepted } from './held.js';
import { MARKS_WAITING_MAX, MarkRows, type Marking } from './mark-rows.js';
import { PORTS, type Ports } from './ports.js';
import { Streams, type LookedAt } from './streams.js';
import { Ticks } from './ticks.js';
import { Welcome } from './welcome.js';

/** Rows of one event: 64 KiB (design decision 5) of at most 143 characters each. */
const ROWS_PER_EVENT_MAX = 450;
/** Events one look back into the log reads for the number of messages at an old place. */
const LOOK_BACK = 64;

type Delivered = Omit<Marking, 'kind'>;

/** The last message at or before a place, where the state still knows it. */
const recentNumber = ({ recent, number }: Conversation, seq: number): number | undefined => {
  const known = recent.findLast((message) => message.seq <= seq);
  if (known) return known.number;
  const [oldest] = recent;
  return oldest ? (oldest.number === 1 ? 0 : undefined) : number;
};

/**
 * The way in for delivered and read marks. They are registers, not decisions: checked against the
 * conversation's head and members, gathered for a tick, and appended without loading anything.
 */
@Injectable()
export class ReceiptsDoor implements OnApplicationShutdown {
  readonly #logger = new Logger(ReceiptsDoor.name);
  readonly #rows = new MarkRows();
  readonly #ticks: Ticks<Mark>;
  readonly #limit: Limit | undefined;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly streams: Streams,
    private readonly welcome: Welcome,
  ) {
    this.#limit = limitOf(ports.config, 'marks');
    this.#ticks = new Ticks(ports, this.#rows, {
      rowsPerEvent: ROWS_PER_EVENT_MAX,
      eventOf: (marks, at) => ({ type: 'MarksMoved', data: { at, marks } }),
    });
  }

  /**
   * Moves one mark, at most to the head; answers once it is in the log. Throws `not_found` for who
   * is not in the conversation. A mark that would move backwards changes nothing.
   */
  async mark(marking: Marking): Promise<Accepted> {
    await this.#mayDoMore(marking.device);
    const { conversationId, kind } = marking;
    const stream = `conversation-${conversationId}`;
    const { state, revision, position: seenTo } = await this.#asMember(marking, stream);
    const seq = Math.min(marking.seq, revision);
    const data = { conversationId, kind, seq };
    const isKept = kind === 'read' || (await this.#audienceFits(state, conversationId));
    const isPrivate = kind === 'read' && (await this.welcome.readsPrivately(marking.userId));
    const clamped = { ...marking, seq, isPrivate };
    if (!isKept || this.#rows.isKept(clamped))
      return { duplicate: true, data, position: String(seenTo) };
    const number = kind === 'read' ? await this.#numberAt(stream, state, seq) : 0;
    if (this.#rows.size >= MARKS_WAITING_MAX)
      reject('unavailable', 'Too many marks wait for the log; try again.');
    const position = await this.#append(clamped, number);
    return { duplicate: false, data, position: String(position) };
  }

  /** Delivered marks of many sockets at once, without an answer; those of strangers are ignored. */
  delivered(marks: readonly Delivered[]): void {
    for (const mark of marks) {
      const marking: Marking = { ...mark, kind: 'delivered' };
      if (this.#rows.size >= MARKS_WAITING_MAX) return;
      if (this.#rows.isAsked(marking)) continue;
      const seen = this.streams.look(conversation, `conversation-${mark.conversationId}`, mark.seq);
      if (seen instanceof Promise) void this.#deliveredLater(marking, seen);
      else this.#deliveredAt(marking, seen);
    }
  }

  /** Appends what waits now, instead of at the tick. */
  flush(): Promise<void> {
    return this.#ticks.flush();
  }

  /** Brings the last tick to the log before the process ends. */
  onApplicationShutdown(): Promise<void> {
    return this.#ticks.stop();
  }

  async #deliveredLater(marking: Marking, looking: Promise<LookedAt<Conversation>>): Promise<void> {
    try {
      this.#deliveredAt(marking, await looking);
    } catch (error) {
      this.#logger.warn(`A delivered mark was let go: ${String(error)}`);
    }
  }

  #deliveredAt(marking: Marking, { state, revision }: LookedAt<Conversation>): void {
    if (
      !state.members.has(marking.userId) ||
      state.members.size > this.ports.config.FANOUT_DELIVERED_MEMBERS_MAX
    )
      return;
    const clamped = { ...marking, seq: Math.min(marking.seq, revision) };
    if (this.#rows.isAsked(clamped)) return;
    this.#rows.add(clamped, 0);
    this.#ticks.tick();
  }

  async #asMember({ userId, conversationId, seq }: Marking, stream: string) {
    const seen = await this.streams.look(conversation, stream, seq);
    if (seen.state.members.has(userId)) return seen;
    const latest = await this.streams.look(conversation, stream, seen.revision + 1);
    if (latest.state.members.has(userId)) return latest;
    const isFollower =
      latest.state.kind === 'broadcast' && (await this.#follows(conversationId, userId));
    return isFollower
      ? latest
      : reject('not_found', 'There is no such conversation, or you are not in it.');
  }

  async #follows(conversationId: string, userId: string): Promise<boolean> {
    const stream = `audience-${conversationId}`;
    const seen = await this.streams.look(audience, stream, 0);
    if (seen.state.followers.has(userId)) return true;
    const latest = await this.streams.look(audience, stream, seen.revision + 1);
    return latest.state.followers.has(userId);
  }

  async #audienceFits(state: Conversation, conversationId: string): Promise<boolean> {
    if (state.members.size > this.ports.config.FANOUT_DELIVERED_MEMBERS_MAX) return false;
    if (state.kind !== 'broadcast') return true;
    const { state: heard } = await this.streams.look(audience, `audience-${conversationId}`, 0);
    return (
      heard.followers.size + state.members.size <= this.ports.config.FANOUT_DELIVERED_MEMBERS_MAX
    );
  }

  /** Messages up to a place: from the state, and for a place long past from the log. */
  async #numberAt(stream: string, state: Conversation, seq: number): Promise<number> {
    const recent = recentNumber(state, seq);
    if (recent !== undefined) return recent;
    for (let end = seq; end >= 0; end -= LOOK_BACK) {
      const from = Math.max(0, end - LOOK_BACK + 1);
      const page = await answered(
        this.ports.timer,
        this.ports.store.read(stream, from, end - from + 1),
      );
      const said = page.findLast(({ type }) => type === 'MessageSent');
      const event = said && (await this.ports.codec.decode(said, false));
      if (event?.type === 'MessageSent') return event.data.number;
    }
    return 0;
  }

  async #mayDoMore(device: string): Promise<void> {
    if (!this.#limit) return;
    const retryAfterMs = await this.ports.limiter.take(this.#limit, device);
    if (retryAfterMs > 0)
      reject('rate_limited', 'Too many marks; wait a little.', { retryAfterMs });
  }

  #append(marking: Marking, number: number): Promise<number> {
    this.#rows.add(marking, number);
    return this.#ticks.kept(receiptStreamOf(marking.conversationId));
  }
}
