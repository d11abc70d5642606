import 'fake-indexeddb/auto';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deleteDB } from 'idb';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileStorage } from './file-storage.js';
import { IndexedDbStorage } from './indexed-db-storage.js';
import { Outbox } from './outbox.js';
import { systemRuntime } from './runtime.js';
import { MemoryStorage, type ScriptaStorage } from './storage.js';

/** A place where a client keeps things, and the same place as its next run finds it. */
type OpenedStorage = Readonly<{
  storage: ScriptaStorage;
  /** Lets go of it and opens it anew. */
  again: () => Promise<ScriptaStorage>;
  end: () => Promise<void>;
}>;

const entriesOf = async (storage: ScriptaStorage): Promise<object> =>
  Object.fromEntries(await storage.load());

/** Nobody answers: what is entered stays. */
const silent = (): Promise<never> => new Promise(() => undefined);

const outboxOn = async (storage: ScriptaStorage): Promise<Outbox> => {
  const outbox = new Outbox(systemRuntime, storage, silent, {
    ended: () => undefined,
    changed: () => undefined,
  });
  outbox.restore(await storage.load());
  return outbox;
};

const say = (outbox: Outbox, lane: string, text: string): void => {
  const data = { conversationId: lane, text };
  outbox.enter({ lane, isCounted: true, name: 'message.send', data }).catch(() => undefined);
};

/** What every storage of the SDK must do. */
const storageContract = (name: string, open: () => Promise<OpenedStorage>): void => {
  describe(`a storage: ${name}`, () => {
    let opened: OpenedStorage;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.end());

    it('holds nothing at first', async () => {
      const { storage } = opened;
      expect(await entriesOf(storage)).toEqual({});
    });

    it('[D14] gives the next run the last value of each key', async () => {
      const { storage, again } = opened;
      await storage.load();
      const value = { id: 'x', list: [1, null, { text: 'naïve 🙂\n' }], yes: true };
      storage.put('a', 1);
      storage.put('b', value);
      storage.put('a', 2);
      storage.put('c', 'gone');
      storage.put('c', undefined);
      storage.put('never', undefined);
      await storage.flush();
      expect(await entriesOf(storage)).toEqual({ a: 2, b: value });
      const next = await again();
      expect(await entriesOf(next)).toEqual({ a: 2, b: value });
    });

    it('keeps what is put while it writes, in order', async () => {
      const { storage, again } = opened;
      await storage.load();
      for (let turn = 0; turn < 20; turn++) {
        for (let at = 0; at < 10; at++) storage.put(`key ${at}`, turn * 10 + at);
        await Promise.resolve();
      }
      storage.put('key 3', undefined);
      await storage.flush();
      const keys = [0, 1, 2, 4, 5, 6, 7, 8, 9];
      const expected = Object.fromEntries(keys.map((at) => [`key ${at}`, 190 + at]));
      expect(await entriesOf(await again())).toEqual(expected);
    });

    it('lets go of what it gave: a loaded map is a copy', async () => {
      const { storage } = opened;
      storage.put('a', 1);
      await storage.flush();
      const loaded = await storage.load();
      storage.put('a', 2);
      storage.put('b', 2);
      expect([...loaded]).toEqual([['a', 1]]);
    });

    it('is one client’s at a time, where it can be claimed', async () => {
      const { storage, again } = opened;
      expect((await storage.claim?.()) ?? true).toBe(true);
      const next = await again();
      await expect.poll(async () => (await next.claim?.()) ?? true).toBe(true);
      await next.release?.();
    });

    it('[D14] [D22] keeps an outbox in the order of each conversation', async () => {
      const one = await outboxOn(opened.storage);
      for (let at = 0; at < 12; at++) say(one, at % 2 === 0 ? 'choir' : 'club', `text ${at}`);
      const [, second, third] = one.items.filter(
        ({ conversationId }) => conversationId === 'choir',
      );
      one.edit(second?.id ?? '', 'edited');
      one.cancel(third?.id ?? '');
      await opened.storage.flush();
      const next = await outboxOn(await opened.again());
      const textsIn = (lane: string): (string | undefined)[] =>
        next.items.flatMap(({ conversationId, text }) => (conversationId === lane ? [text] : []));
      expect(textsIn('choir')).toEqual(['text 0', 'edited', 'text 6', 'text 8', 'text 10']);
      expect(textsIn('club')).toEqual([1, 3, 5, 7, 9, 11].map((at) => `text ${at}`));
    });
  });
};

type Closable = Readonly<{ close: () => Promise<void> }>;

/** Opens the same place again and again, one at a time. */
const reopened = <S extends Closable>(make: () => S, remove: () => Promise<void>) => {
  let current = make();
  return {
    storage: current,
    again: async () => {
      await current.close();
      current = make();
      return current;
    },
    end: async () => {
      await current.close();
      await remove();
    },
  };
};

storageContract('memory', () => {
  const storage = new MemoryStorage();
  const again = () => Promise.resolve(storage);
  return Promise.resolve({ storage, again, end: () => Promise.resolve() });
});

storageContract('a file', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'scripta-storage-'));
  const remove = () => rm(folder, { recursive: true });
  return reopened(() => new FileStorage(join(folder, 'client.jsonl')), remove);
});

storageContract('IndexedDB', () => {
  const name = randomUUID();
  return Promise.resolve(
    reopened(
      () => new IndexedDbStorage(name),
      () => deleteDB(name),
    ),
  );
});
