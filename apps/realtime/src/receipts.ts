import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  conversation,
  isPrivateMark,
  markKindOf,
  type Conversation,
  type Mark,
  type MarkKind,
  type MarksMoved,
  type Recorded,
} from '#domain';
import { CONFIG, Streams } from '#commands';
import type { Config } from '#platform';
import { emissionOf } from './frames.js';
import { Rooms } from './rooms.js';

/** Marks remembered to tell only what is new: two per member of conversations that are lively. */
const REMEMBERED_MAX = 100_000;

/** A mark as clients hear of it. */
export type MovedMark = Readonly<{
  conversationId: string;
  userId: string;
  kind: MarkKind;
  seq: number;
  at: string;
}>;

/** The authors whose messages a mark passed: those after where it stood, up to where it stands. */
export const authorsOf = (
  { recent, members }: Pick<Conversation, 'recent' | 'members'>,
  userId: string,
  after: number,
  upTo: number,
): ReadonlySet<string> => {
  const authors = new Set<string>();
  for (const { seq, by } of recent)
    if (seq > after && seq <= upTo && by !== userId && members.has(by)) authors.add(by);
  return authors;
};

/** Tells authors how far their messages have got, and a reader's other devices what was read. */
@Injectable()
export class ReceiptNews {
  readonly #logger = new Logger('ReceiptNews');
  readonly #stood = new Map<string, number>();

  constructor(
    private readonly streams: Streams,
    private readonly rooms: Rooms,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** Tells of a tick of marks; states that are not in memory are read beside the loop. */
  tell(event: Recorded<MarksMoved>): void {
    const told = new Map<string, MovedMark[]>();
    const later: Promise<void>[] = [];
    for (const [conversationId, marks] of Map.groupBy(event.data.marks, ([id]) => id)) {
      if (this.rooms.in(conversationId).size === 0) continue;
      const looked = this.streams.look(conversation, `conversation-${conversationId}`, 0);
      if (looked instanceof Promise)
        later.push(looked.then(({ state }) => this.#gather(told, state, marks, event.data.at)));
      else this.#gather(told, looked.state, marks, event.data.at);
    }
    if (later.length === 0) this.#emit(told, event);
    else
      Promise.all(later)
        .then(() => this.#emit(told, event))
        .catch((error: unknown) => this.#logger.warn(`Marks were not told: ${String(error)}`));
  }

  #gather(
    told: Map<string, MovedMark[]>,
    state: Conversation,
    marks: readonly Mark[],
    at: string,
  ): void {
    if (state.members.size > this.config.FANOUT_TOLD_MEMBERS_MAX) return;
    for (const [conversationId, userId, , logged, seq] of marks) {
      const kind = markKindOf(logged);
      const mark = { conversationId, userId, kind, seq, at };
      const before = this.#pass(mark);
      if (!isPrivateMark(logged))
        for (const author of authorsOf(state, userId, before, seq)) add(told, author, mark);
      // Two devices mark through two processes: the log may have the lesser mark last.
      if (kind === 'read' && seq > before) add(told, userId, mark);
    }
  }

  /** Where a mark stood before, as far as this process remembers. */
  #pass({ conversationId, userId, kind, seq }: MovedMark): number {
    const key = `${conversationId}:${userId}:${kind}`;
    const before = this.#stood.get(key) ?? -1;
    this.#stood.delete(key);
    this.#stood.set(key, Math.max(before, seq));
    if (this.#stood.size > REMEMBERED_MAX) {
      const [oldest] = this.#stood.keys();
      if (oldest !== undefined) this.#stood.delete(oldest);
    }
    return before;
  }

  #emit(told: ReadonlyMap<string, readonly MovedMark[]>, { id, position }: Recorded): void {
    for (const [userId, marks] of told) {
      const present = marks.filter(({ conversationId }) => this.#isIn(userId, conversationId));
      if (present.length === 0) continue;
      const news = { v: 1, id, position: String(position), marks: present };
      this.rooms.tellPerson(userId, emissionOf('receipts.moved', news, { position }));
    }
  }

  /** By now they may have been removed, and then hear nothing more of it. */
  #isIn(userId: string, conversationId: string): boolean {
    for (const reader of this.rooms.readersOf(userId))
      if (reader.rooms.has(conversationId)) return true;
    return false;
  }
}

const add = (told: Map<string, MovedMark[]>, userId: string, mark: MovedMark): void => {
  const marks = told.get(userId);
  if (marks) marks.push(mark);
  else told.set(userId, [mark]);
};
