import { openDB, type IDBPDatabase } from 'idb';
import type { ScriptaStorage } from './storage.js';

const STORE = 'kept';
const VERSION = 1;

/**
 * Keeps things in a browser's IndexedDB, each client under a name of its own. What is put within one
 * turn is one transaction, transactions keep their order, and what could not be written (a full disk,
 * a closed database) is kept in memory and tried again with the next write or `flush`.
 */
export class IndexedDbStorage implements ScriptaStorage {
  readonly #name: string;
  #database: Promise<IDBPDatabase> | undefined;
  #pending = new Map<string, unknown>();
  #writing: Promise<void> | undefined;
  #failure: unknown;
  #release: (() => void) | undefined;

  /** `name`: one for each device of this origin; of the tabs that share one, one is connected. */
  constructor(name = 'scripta') {
    this.#name = name;
  }

  /** By the browser's own locks, where it has any, which a closed tab lets go of by itself. */
  readonly claim = (): Promise<boolean> =>
    new Promise((resolve, reject) => {
      // Browsers from before 2022 have none.
      if (!('locks' in navigator)) return resolve(true);
      const name = `scripta:${this.#name}`;
      const hold = (lock: Lock | null): Promise<void> | undefined => {
        resolve(lock !== null);
        if (lock === null) return undefined;
        return new Promise((released) => {
          this.#release = released;
        });
      };
      navigator.locks.request(name, { ifAvailable: true }, hold).catch(reject);
    });

  readonly release = (): Promise<void> => {
    this.#release?.();
    this.#release = undefined;
    return Promise.resolve();
  };

  readonly load = async (): Promise<ReadonlyMap<string, unknown>> => {
    const database = await this.#open();
    const reading = database.transaction(STORE, 'readonly');
    const [keys, values] = await Promise.all([reading.store.getAllKeys(), reading.store.getAll()]);
    return new Map(
      keys.flatMap((key, at) => (typeof key === 'string' ? [[key, values[at]] as const] : [])),
    );
  };

  readonly put = (key: string, value: unknown): void => {
    // Last in the order of writing, also where it waited already.
    this.#pending.delete(key);
    this.#pending.set(key, value);
    this.#writing ??= Promise.resolve().then(() => this.#writeAll());
  };

  /** Rejects while what was put cannot be written; a later call tries again. */
  readonly flush = async (): Promise<void> => {
    await this.#writing;
    if (this.#pending.size > 0) await (this.#writing ??= this.#writeAll());
    if (this.#failure !== undefined)
      throw new Error('The browser does not keep what it was given.', { cause: this.#failure });
  };

  /** Flushes and lets go of the database. */
  readonly close = async (): Promise<void> => {
    await this.flush();
    const database = await this.#database;
    this.#database = undefined;
    database?.close();
    await this.release();
  };

  #open(): Promise<IDBPDatabase> {
    this.#database ??= openDB(this.#name, VERSION, {
      upgrade: (database) => {
        database.createObjectStore(STORE);
      },
      // Another page removes or upgrades it: this one opens it anew when it next needs it.
      blocking: (_current, _blocked, event) => {
        this.#database = undefined;
        if (event.target instanceof IDBDatabase) event.target.close();
      },
      terminated: () => {
        this.#database = undefined;
      },
    }).catch((error: unknown) => {
      this.#database = undefined;
      throw error;
    });
    return this.#database;
  }

  async #writeAll(): Promise<void> {
    this.#failure = undefined;
    while (this.#pending.size > 0 && this.#failure === undefined) {
      const batch = this.#pending;
      this.#pending = new Map();
      try {
        await this.#write(batch);
      } catch (error) {
        // What was put meanwhile is newer.
        this.#pending = new Map([...batch, ...this.#pending]);
        this.#failure = error;
      }
    }
    this.#writing = undefined;
  }

  async #write(batch: ReadonlyMap<string, unknown>): Promise<void> {
    const database = await this.#open();
    const writing = database.transaction(STORE, 'readwrite', { durability: 'strict' });
    const kept = [...batch].map(([key, value]) =>
      value === undefined ? writing.store.delete(key) : writing.store.put(value, key),
    );
    await Promise.all([...kept, writing.done]);
  }
}
