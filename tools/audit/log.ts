import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyObject } from 'node:crypto';
import {
  destroyErased,
  erasuresIn,
  EventStoreDb,
  JsonCodec,
  Keys,
  lastHead,
  LocalKeys,
  SystemClock,
  SystemRandom,
  type Codec,
  type Config,
  type EventStore,
  type SubjectKey,
} from '#platform';
import { isHead, publicKeyOf, type SignedHead } from '#proof';

/** Who looks without the right to open anything has no keys. */
class NoKeys extends Keys {
  override ensure(): Promise<SubjectKey | undefined> {
    return Promise.resolve(undefined);
  }

  override find(): SubjectKey | undefined {
    return undefined;
  }

  override destroy(): Promise<void> {
    return Promise.reject(new Error('There are no keys here.'));
  }

  override derive(): Buffer {
    throw new Error('There are no keys here.');
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }
}

/** A log that an auditor looks into; `keys` are there only where content may be opened. */
export type OpenLog = Readonly<{
  store: EventStore;
  codec: Codec;
  keys: Keys | undefined;
  close: () => Promise<void>;
}>;

/** Opens the log at EVENTSTORE_URL, and the keys in DATA_DIR where content is to be opened. */
export const openLog = async (config: Config, isOpening: boolean): Promise<OpenLog> => {
  const store = new EventStoreDb(config.EVENTSTORE_URL);
  const folder = { dataDir: config.DATA_DIR, masterKey: config.MASTER_KEY };
  const keys = isOpening ? await LocalKeys.open(folder, new SystemClock()) : undefined;
  if (keys) await destroyErased(keys, await erasuresIn(store));
  const codec = new JsonCodec(keys ?? new NoKeys(), new SystemRandom());
  const close = async (): Promise<void> => {
    await store.close();
    await keys?.close();
  };
  return { store, codec, keys, close };
};

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
};

/** The public key that a text names: a file with it, or the key itself. */
export const keyFrom = (text: string): KeyObject => publicKeyOf(read(text) ?? text);

/** The key to check a log with: the one given, else that of the data folder, else the log's own. */
export const keyFor = async (
  { DATA_DIR }: Config,
  store: EventStore,
  given?: string,
): Promise<KeyObject> => {
  if (given !== undefined) return keyFrom(given);
  const own = read(join(DATA_DIR, 'audit', 'signing.pub'));
  if (own !== undefined) return publicKeyOf(own);
  const head = await lastHead(store);
  if (!head) throw new Error('No head was signed in this log, and no key was given: --key K.');
  console.error('The key is the one that the log itself names: that shows less than --key K.');
  return publicKeyOf(head.publicKey);
};

/** Heads that were published outside, from a file with one in each line. Throws for others. */
export const headsIn = (path: string): readonly SignedHead[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line, at) => {
      const head: unknown = JSON.parse(line);
      if (isHead(head)) return head;
      throw new Error(`Line ${at + 1} of ${path} is no signed head.`);
    });
