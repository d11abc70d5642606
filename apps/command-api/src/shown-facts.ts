import {
  hiddenKey,
  messageOf,
  shownFact,
  withoutText,
  type Fact,
  type HiddenView,
  type MessageView,
  type ReactionsView,
  type ShownFact,
  type ThreadView,
} from '#domain';
import type { Stored, Views } from '#platform';
import { shownReactions, type ShownReactions } from './shown-reactions.js';

/** A thread, as it is shown beside the message that it hangs on. */
export type ShownThread = Readonly<Pick<ThreadView, 'replies' | 'last' | 'repliers'>>;

/** A fact as its reader is shown it: what is felt about it, and the thread that hangs on it. */
export type TranscriptFact = ShownFact &
  Readonly<{
    reactions?: ShownReactions;
    thread?: ShownThread;
    /** The reader deleted it for themselves: nothing is shown of what it said. */
    hidden?: true;
  }>;

type Around = Readonly<{
  views: ReadonlyMap<string, MessageView>;
  reactions: ReadonlyMap<string, ShownReactions | undefined>;
  threads: ReadonlyMap<string, ThreadView>;
  hidden: ReadonlySet<string>;
}>;

const byId = <V extends object>(found: readonly Stored<V>[]): ReadonlyMap<string, Stored<V>> =>
  new Map(found.map((view) => [view._id, view]));

const shown = (
  fact: Fact,
  { views, reactions, threads, hidden }: Around,
  maySee: (position: number) => boolean,
): TranscriptFact => {
  const messageId = messageOf(fact) ?? '';
  if (hidden.has(messageId)) return { ...withoutText(fact), hidden: true };
  const as = shownFact(fact, views.get(messageId), maySee);
  const [felt, hung] = [reactions.get(fact.id), threads.get(fact.id)];
  const thread = hung && { replies: hung.replies, last: hung.last, repliers: hung.repliers };
  return {
    ...as,
    ...(felt && !as.deleted ? { reactions: felt } : {}),
    ...(thread ? { thread } : {}),
  };
};

/** Facts as a person is shown them today, who may see what is at some places of the log. */
export const shownFacts = async (
  views: Views,
  userId: string,
  facts: readonly Fact[],
  maySee: (position: number) => boolean,
): Promise<readonly TranscriptFact[]> => {
  const ids = [...new Set(facts.flatMap((fact) => messageOf(fact) ?? []))];
  if (ids.length === 0) return facts;
  const [changed, felt, hung, gone] = await Promise.all([
    views.get<MessageView>('messages', ids),
    views.get<ReactionsView>('reactions', ids),
    views.get<ThreadView>('threads', ids),
    views.get<HiddenView>(
      'hidden',
      ids.map((id) => hiddenKey(userId, id)),
    ),
  ]);
  // What came after the reader had left is no more their business than what was said.
  const seen = felt.filter(({ position }) => maySee(position));
  const around = {
    views: byId(changed),
    reactions: new Map(seen.map((view) => [view._id, shownReactions(view, userId)])),
    threads: byId(hung.filter(({ position }) => maySee(position))),
    hidden: new Set(gone.map(({ messageId }) => messageId)),
  };
  return facts.map((fact) => shown(fact, around, maySee));
};
