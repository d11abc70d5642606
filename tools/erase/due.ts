import type { Order, ErasurePorts } from './erasure.js';

const PAGE = 1_000;

/**
 * Whose account's time of grace is over: read from the log itself, so that nobody is erased because
 * a read model was behind. Who logged in again cancelled it.
 */
export const dueAccounts = async ({ store, clock }: ErasurePorts): Promise<readonly Order[]> => {
  const due = new Map<string, string>();
  for (let after: number | undefined; ;) {
    const page = await store.readAll(['user-'], after, PAGE);
    for (const { type, data } of page) {
      const userId = String(data['userId']);
      if (type === 'DeletionScheduled') due.set(userId, String(data['dueAt']));
      if (type === 'DeletionCancelled' || type === 'PersonErased') due.delete(userId);
    }
    after = page.at(-1)?.position ?? after;
    if (page.length < PAGE) break;
  }
  const now = clock.iso();
  // Times of one form compare as their texts do.
  return [...due]
    .filter(([, dueAt]) => dueAt <= now)
    .map(([userId]) => ({ userId, reason: 'account_deleted', by: userId }));
};
