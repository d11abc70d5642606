import type { Order, ErasurePorts } from './erasure.js';

const PAGE = 1_000;

/**
 * Whose account was deleted, its time of grace over, and who is not erased yet: read from the log
 * itself, so that nobody is left out or erased because a read model was behind.
 */
export const dueAccounts = async ({
  store,
}: Pick<ErasurePorts, 'store'>): Promise<readonly Order[]> => {
  const due = new Set<string>();
  for (let after: number | undefined; ;) {
    const page = await store.readAll(['user-'], after, PAGE);
    for (const { type, data } of page) {
      if (type === 'AccountDeleted') due.add(String(data['userId']));
      if (type === 'PersonErased') due.delete(String(data['userId']));
    }
    after = page.at(-1)?.position ?? after;
    if (page.length < PAGE) break;
  }
  return [...due].map((userId) => ({ userId, reason: 'account_deleted', by: userId }));
};
