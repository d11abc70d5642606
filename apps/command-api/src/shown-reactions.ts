import { countsOf, type ReactionCount, type ReactionsView } from '#domain';

/** What is felt about a message, as its reader sees it. */
export type ShownReactions = Readonly<{ counts: readonly ReactionCount[]; mine?: string }>;

/** What is felt about a message, where anything is. */
export const shownReactions = (
  view: ReactionsView | undefined,
  userId: string,
): ShownReactions | undefined => {
  if (!view || Object.keys(view.by).length === 0) return undefined;
  const mine = view.by[userId];
  return { counts: countsOf(view), ...(mine === undefined ? {} : { mine }) };
};
