import { memberKey } from '#domain';
import { PROJECTIONS, type Kept } from '#platform';
import { meetLive, type OnProgress, type RebuildPorts } from '../rebuild/following.js';
import { folding, type Wanted } from '../rebuild/mend.js';

/** The read models that a badge is shown from. */
const VIEWS = ['members', 'receipts', 'conversations'];

/** Documents that were folded again, by view. */
export type Repaired = Readonly<Record<string, number>>;

/** What is to be repaired: a person, and in which conversations. */
export type Repair = Readonly<{ userId: string; conversationIds: readonly string[] }>;

/**
 * Replays one person: their places and marks, and what lists say of those conversations, are folded
 * again from the log and put in place while projectors stand still for a moment.
 */
export const repair = async (
  ports: RebuildPorts,
  repairs: readonly Repair[],
  onProgress: OnProgress,
): Promise<Repaired> => {
  const own = repairs.flatMap(({ userId, conversationIds }) =>
    conversationIds.map((conversationId) => memberKey(conversationId, userId)),
  );
  const shared = repairs.flatMap(({ conversationIds }) => conversationIds);
  const wanted: Wanted = new Map([
    ['members', new Set(own)],
    ['receipts', new Set(own)],
    ['conversations', new Set(shared)],
  ]);
  const projections = PROJECTIONS.filter(({ name }) => VIEWS.includes(name));
  const { store, runner } = await folding(ports, projections, wanted);
  return meetLive(ports, runner, VIEWS, {
    onProgress,
    work: async () => {
      const repaired: Record<string, number> = {};
      for (const name of VIEWS) {
        const documents: readonly Kept[] = [...store.collection(name).values()];
        await ports.views.mend(name, '', documents);
        repaired[name] = documents.length;
      }
      return repaired;
    },
  });
};
