import { Inject, Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import {
  audience,
  conversation,
  receiptStreamOf,
  reject,
  type Conversation,
  type Mark,
} from '#domain';
import { limitOf, LogUnavailable, type Limit, type NewEvent } from '#platform';
import { answered } from './answered.js';
import type { Accepted } from './held.js';
import { MARKS_WAITING_MAX, MarkRows, type Marking } from './mark-rows.js';
import { PORTS, type Ports } from './ports.js';
import { COMMAND_DEADLINE_MS, Streams, type LookedAt } from './streams.js';
import { Welcome } from './welcome.js';

/** Rows of one event: 64 KiB (design decision 5) of at most 143 characters each. */
const ROWS_PER_EVENT_MAX = 450;
/** Events of one append: half a MiB. */
const EVENTS_PER_APPEND_MAX = 8;
/** Pause before marks that met an outage are tried again. */
const OUTAGE_PAUSE_MS = 200;
/** Events one look back into the log reads for the number of messages at an old place. */
const LOOK_BACK = 64;

type Waiter = Readonly<{ resolve: (position: number) => void; reject: (error: unknown) => void }>;
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
  readonly #waiters = new Map<string, Waiter[]>();
  /** Shards whose marks are on their way: the next tick of a shard waits for the one before. */
  readonly #appending = new Map<string, Promise<void>>();
  readonly #limit: Limit | undefined;
  #isTicking = false;
  #isStopping = false;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly streams: Streams,
    private readonly welcome: Welcome,
  ) {
    this.#limit = limitOf(ports.config, 'marks');
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
  async flush(): Promise<void> {
    while (this.#rows.size > 0 || this.#appending.size > 0) {
      for (const stream of this.#rows.streams) this.#appendShard(stream);
      await Promise.all(this.#appending.values());
    }
  }

  /** Brings the last tick to the log before the process ends. */
  async onApplicationShutdown(): Promise<void> {
    this.#isStopping = true;
    await this.flush();
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
    this.#tick();
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
    return new Promise((resolve, rejected) => {
      const cancel = this.ports.timer.after(COMMAND_DEADLINE_MS, () =>
        rejected(new LogUnavailable('The log was away for as long as this mark could wait.')),
      );
      const waiter = {
        resolve: (position: number) => {
          cancel();
          resolve(position);
        },
        reject: (error: unknown) => {
          cancel();
          rejected(error);
        },
      };
      this.#rows.add(marking, number);
      const stream = receiptStreamOf(marking.conversationId);
      const waiters = this.#waiters.get(stream);
      if (waiters) waiters.push(waiter);
      else this.#waiters.set(stream, [waiter]);
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    this.ports.timer.after(this.ports.config.RECEIPT_TICK_MS, () => {
      this.#isTicking = false;
      for (const stream of this.#rows.streams) this.#appendShard(stream);
      if (this.#rows.size > 0) this.#tick();
    });
  }

  #appendShard(stream: string): void {
    if (this.#appending.has(stream)) return;
    const marks = this.#rows.take(stream);
    const waiters = this.#waiters.get(stream) ?? [];
    this.#waiters.delete(stream);
    const appending = this.#bringFor(stream, marks, waiters);
    this.#appending.set(stream, appending);
  }

  async #bringFor(
    stream: string,
    marks: readonly Mark[],
    waiters: readonly Waiter[],
  ): Promise<void> {
    try {
      const position = await this.#bring(stream, marks);
      this.#rows.kept(marks);
      for (const { resolve } of waiters) resolve(position);
    } catch (error) {
      this.#rows.lost(marks);
      this.#logger.error(`${marks.length} marks were lost on ${stream}: ${String(error)}`);
      for (const waiter of waiters) waiter.reject(error);
    } finally {
      this.#appending.delete(stream);
    }
  }

  async #bring(stream: string, marks: readonly Mark[]): Promise<number> {
    const at = this.ports.clock.iso();
    const sealing: Promise<NewEvent>[] = [];
    for (let first = 0; first < marks.length; first += ROWS_PER_EVENT_MAX) {
      const rows = marks.slice(first, first + ROWS_PER_EVENT_MAX);
      const id = this.ports.random.uuid();
      const envelope = { id, correlationId: id, causationId: id };
      sealing.push(
        this.ports.codec.encode({ type: 'MarksMoved', data: { at, marks: rows } }, envelope),
      );
    }
    const events = await Promise.all(sealing);
    let position = -1;
    for (let first = 0; first < events.length; first += EVENTS_PER_APPEND_MAX)
      position = await this.#persist(stream, events.slice(first, first + EVENTS_PER_APPEND_MAX));
    return position;
  }

  /** Appends, however long the log is away: a mark twice in the log is one mark to the folds. */
  async #persist(stream: string, events: readonly NewEvent[]): Promise<number> {
    for (;;) {
      try {
        return (await this.ports.store.append(stream, 'any', events)).position;
      } catch (error) {
        if (!(error instanceof LogUnavailable) || this.#isStopping) throw error;
      }
      await this.ports.timer.sleep(OUTAGE_PAUSE_MS);
    }
  }
}
