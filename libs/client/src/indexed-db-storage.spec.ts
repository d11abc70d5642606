import 'fake-indexeddb/auto';
import { randomUUID } from 'node:crypto';
import { deleteDB } from 'idb';
import { afterEach, expect, it, vi } from 'vitest';
import { IndexedDbStorage } from './indexed-db-storage.js';

afterEach(() => vi.restoreAllMocks());

const kept = async (name: string): Promise<object> => {
  const storage = new IndexedDbStorage(name);
  const found = Object.fromEntries(await storage.load());
  await storage.close();
  return found;
};

it('[D14] keeps what was put, the last value of each key, for the next page', async () => {
  const name = randomUUID();
  const storage = new IndexedDbStorage(name);
  expect([...(await storage.load())]).toEqual([]);
  storage.put('cursor', '1.a');
  storage.put('outbox:1', { id: 'x', data: { text: 'naïve 🙂' } });
  storage.put('cursor', '2.b');
  storage.put('outbox:2', 'gone');
  storage.put('outbox:2', undefined);
  await storage.flush();
  expect(await kept(name)).toEqual({
    cursor: '2.b',
    'outbox:1': { id: 'x', data: { text: 'naïve 🙂' } },
  });
  storage.put('outbox:1', undefined);
  await storage.close();
  expect(await kept(name)).toEqual({ cursor: '2.b' });
});

it('keeps clients apart by name', async () => {
  const [one, other] = [randomUUID(), randomUUID()];
  const storage = new IndexedDbStorage(one);
  storage.put('session', 'ada');
  await storage.close();
  expect(await kept(other)).toEqual({});
  expect(await kept(one)).toEqual({ session: 'ada' });
});

it('keeps in memory what the browser refuses, says so, and writes it once it can', async () => {
  const name = randomUUID();
  const storage = new IndexedDbStorage(name);
  await storage.load();
  const refusing = vi.spyOn(IDBObjectStore.prototype, 'put').mockImplementation(() => {
    throw new DOMException('The disk is full.', 'QuotaExceededError');
  });
  storage.put('outbox:1', 'first');
  await expect(storage.flush()).rejects.toThrow(/does not keep/u);
  storage.put('outbox:2', 'second');
  await expect(storage.flush()).rejects.toThrow(/does not keep/u);
  refusing.mockRestore();
  await storage.flush();
  await storage.close();
  expect(await kept(name)).toEqual({ 'outbox:1': 'first', 'outbox:2': 'second' });
});

it('lets another page remove everything, and goes on in a new database', async () => {
  const name = randomUUID();
  const storage = new IndexedDbStorage(name);
  storage.put('session', 'ada');
  await storage.flush();
  await deleteDB(name);
  storage.put('session', 'ben');
  await storage.close();
  expect(await kept(name)).toEqual({ session: 'ben' });
});

it('[D22] is used by one tab at a time, and by the next once that is closed', async () => {
  const name = randomUUID();
  const [one, other] = [new IndexedDbStorage(name), new IndexedDbStorage(name)];
  expect(await one.claim()).toBe(true);
  expect(await other.claim()).toBe(false);
  expect(await new IndexedDbStorage(randomUUID()).claim()).toBe(true);
  await one.close();
  await expect.poll(() => other.claim()).toBe(true);
  await other.close();
});
