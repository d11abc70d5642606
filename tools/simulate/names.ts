import type { Truth } from './truth.js';

/** Usernames that more than one person shows, or whose claim is not held by who shows it. */
export const namesAreUnique = ({ events }: Truth): readonly string[] => {
  const holders = new Map<string, string>();
  const shown = new Map<string, string>();
  for (const event of events) {
    if (event.type === 'ClaimMade') holders.set(event.stream, event.data.holder);
    if (event.type === 'ClaimReleased') holders.delete(event.stream);
    if (event.type === 'UsernameChosen') shown.set(event.data.userId, event.data.claim);
  }
  return [...shown].flatMap(([userId, claim]) =>
    holders.get(claim) === userId
      ? []
      : [`${userId.slice(0, 4)} shows a username that ${holders.get(claim) ?? 'nobody'} holds`],
  );
};
