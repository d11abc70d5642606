import { hkdfSync } from 'node:crypto';
import { fstatSync, mkdirSync, readSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from './clock.js';
import {
  destroyedSlot,
  isSlot,
  liveSlot,
  nextSlot,
  secretOf,
  SLOT_BYTES,
  subjectAt,
  subjectBytes,
} from './key-slots.js';
import { Keys, KeysUnavailable, type SubjectKey } from './keys.js';
import { masterKeyOf, SECRET_BYTES } from './master-key.js';

/** No process uses a destroyed key for longer than 60 s (design decision 11); half, to be sure. */
const CACHED_MS_MAX = 30_000;
/** How often a process looks whether another has destroyed a key (ms): one `fstat`, 1 us. */
const LOOK_MS = 50;
/** What may pass before it has looked: a look, and a turn that was under way with the key. */
const FORGOTTEN_MS = 500;
/** Secrets held unwrapped: about 20 MiB. Others are read anew, 20 us each. */
const CACHED_MAX = 100_000;

/** Where the keys are, and how damage is told; standard warnings of Node if `warn` is left out. */
export type LocalKeysOptions = Readonly<{
  dataDir: string;
  /** Base64 of 32 bytes; empty: `master.key` in the folder, made once. */
  masterKey: string;
  warn?: (message: string) => void;
}>;

/** A file that cannot be read just now says nothing of the keys in it. */
const reading = <T>(read: () => T): T => {
  try {
    return read();
  } catch (cause) {
    throw new KeysUnavailable(`The keys cannot be read: ${String(cause)}.`, { cause });
  }
};

/**
 * Keys in one file that all processes of a machine share. A new key is one appended slot; of two
 * slots for one subject the first in the file counts, so processes need no lock. On a file system
 * that copies on write, destroying a key also needs its snapshots gone.
 */
export class LocalKeys extends Keys {
  readonly #path: string;
  readonly #warn: (message: string) => void;
  readonly #appending: FileHandle;
  readonly #placing: FileHandle;
  readonly #master: Buffer;
  readonly #wrapping: Buffer;
  readonly #clock: Clock;
  /** Grows with each key that is destroyed, so that all processes forget it. */
  readonly #destroyed: FileHandle;
  /** Place of each subject's slot in the file. */
  readonly #slots = new Map<string, number>();
  readonly #derived = new Map<string, Buffer>();
  #cache = new Map<string, SubjectKey | undefined>();
  #cachedSinceMs: number;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #destroyedSize = -1;
  /** Bytes that were read, that the file had then, and that are known to be on disk. */
  #read = 0;
  #size = 0;
  #synced = 0;
  #wanted = new Set<string>();
  #making: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;

  private constructor(
    [path, master]: readonly [string, Buffer],
    [appending, placing, destroyed]: readonly [FileHandle, FileHandle, FileHandle],
    warn: (message: string) => void,
    clock: Clock,
  ) {
    super();
    this.#path = path;
    this.#warn = warn;
    this.#appending = appending;
    this.#placing = placing;
    this.#destroyed = destroyed;
    this.#master = master;
    this.#wrapping = Buffer.from(hkdfSync('sha256', master, '', 'scripta:wrap', SECRET_BYTES));
    this.#clock = clock;
    this.#cachedSinceMs = clock.monotonic();
  }

  /** Opens the keys in `<dataDir>/keys`. Throws when they were wrapped by another master key. */
  static async open(options: LocalKeysOptions, clock: Clock): Promise<LocalKeys> {
    const folder = join(options.dataDir, 'keys');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const master = masterKeyOf(folder, options.masterKey);
    const path = join(folder, 'subjects.keys');
    const destroyed = join(folder, 'destroyed');
    const handles = [
      await open(path, 'a', 0o600),
      await open(path, 'r+'),
      await open(destroyed, 'a', 0o600),
    ] as const;
    const warn = options.warn ?? ((message) => process.emitWarning(message));
    const keys = new LocalKeys([path, master], handles, warn, clock);
    try {
      keys.#readTail();
      for (const subject of keys.#slots.keys()) if (keys.find(subject)) break;
    } catch (error) {
      await keys.close();
      throw error;
    }
    return keys;
  }

  override async ensure(subject: string): Promise<SubjectKey | undefined> {
    const id = subject.toLowerCase();
    const found = this.find(id);
    if (!this.#slots.has(id)) await this.#make(id);
    if (!this.#slots.has(id)) throw new Error(`${this.#path} did not take a key for ${id}.`);
    // Another process's slot may be in the file and not on the disk yet.
    while ((this.#slots.get(id) ?? 0) >= this.#synced) await this.#sync();
    return found ?? this.find(id);
  }

  override find(subject: string): SubjectKey | undefined {
    const id = subject.toLowerCase();
    this.#forgetOld();
    const cached = this.#cache.get(id);
    if (cached || this.#cache.has(id)) return cached;
    if (!this.#slots.has(id)) reading(() => this.#readTail());
    const place = this.#slots.get(id);
    if (place === undefined) return undefined;
    const key = this.#keyAt(place, id);
    this.#cache.set(id, key);
    return key;
  }

  override async destroy(subject: string): Promise<void> {
    const id = subject.toLowerCase();
    this.#readTail();
    if (!this.#slots.has(id)) {
      // Nobody may make a key for them later either.
      await this.#append([destroyedSlot(id)]);
    }
    const place = this.#slots.get(id);
    await this.#placing.write(destroyedSlot(id), 0, SLOT_BYTES, place);
    await this.#placing.datasync();
    this.#cache.delete(id);
    await this.#destroyed.write(Buffer.alloc(1));
    await this.#destroyed.datasync();
  }

  override get forgottenWithinMs(): number {
    return FORGOTTEN_MS;
  }

  /** Secrets that were held for long, or while a key was destroyed, are read anew. */
  #forgetOld(): void {
    const now = this.#clock.monotonic();
    if (now - this.#lookedMs >= LOOK_MS) {
      this.#lookedMs = now;
      const { size } = reading(() => fstatSync(this.#destroyed.fd));
      if (size !== this.#destroyedSize) this.#cache = new Map();
      this.#destroyedSize = size;
    }
    if (now - this.#cachedSinceMs <= CACHED_MS_MAX && this.#cache.size <= CACHED_MAX) return;
    this.#cache = new Map();
    this.#cachedSinceMs = now;
  }

  override derive(purpose: string): Buffer {
    let key = this.#derived.get(purpose);
    if (!key) {
      const info = `scripta:${purpose}`;
      key = Buffer.from(hkdfSync('sha256', this.#master, '', info, SECRET_BYTES));
      this.#derived.set(purpose, key);
    }
    return key;
  }

  override async close(): Promise<void> {
    await this.#making?.catch(() => {
      // Whoever asked for that key was told.
    });
    this.#cache.clear();
    await this.#appending.close();
    await this.#placing.close();
    await this.#destroyed.close();
  }

  async #make(id: string): Promise<void> {
    // Here, so that one bad id does not fail the others of its group.
    subjectBytes(id);
    this.#wanted.add(id);
    this.#making ??= this.#makeWanted().finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  async #makeWanted(): Promise<void> {
    // Subjects that are met in the same turn share one write and one sync.
    await Promise.resolve();
    while (this.#wanted.size > 0) {
      const wanted = [...this.#wanted];
      this.#wanted = new Set();
      this.#readTail();
      const missing = wanted.filter((id) => !this.#slots.has(id));
      if (missing.length > 0) await this.#append(missing.map((id) => liveSlot(id, this.#wrapping)));
    }
  }

  async #append(slots: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(slots);
    const { bytesWritten } = await this.#appending.write(bytes);
    await this.#syncing;
    await this.#sync();
    if (bytesWritten < bytes.length)
      throw new Error(`${this.#path}: only ${bytesWritten} of ${bytes.length} bytes were written.`);
  }

  /** Brings all that was in the file when it began to the disk; who comes meanwhile waits along. */
  #sync(): Promise<void> {
    this.#syncing ??= this.#syncNow().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #syncNow(): Promise<void> {
    this.#readTail();
    const read = this.#read;
    await this.#appending.datasync();
    this.#synced = Math.max(this.#synced, read);
  }

  #keyAt(place: number, id: string): SubjectKey | undefined {
    const slot = Buffer.alloc(SLOT_BYTES);
    reading(() => readSync(this.#placing.fd, slot, 0, SLOT_BYTES, place));
    if (!isSlot(slot, 0) || subjectAt(slot, 0) !== id)
      throw new Error(
        `${this.#path} is damaged at byte ${place}, the key of ${id}. Restore it from a backup.`,
      );
    try {
      const secret = secretOf(slot, this.#wrapping);
      return secret && { secret };
    } catch (cause) {
      throw new Error(
        `The key at byte ${place} of ${this.#path} was wrapped by another master key. ` +
          'Set MASTER_KEY, or restore master.key, to the one it was made with.',
        { cause },
      );
    }
  }

  /** Learns of slots that were appended since, by this process or another. */
  #readTail(): void {
    const { size } = fstatSync(this.#placing.fd);
    if (size === this.#size) return;
    this.#size = size;
    const bytes = Buffer.alloc(size - this.#read);
    const length = readSync(this.#placing.fd, bytes, 0, bytes.length, this.#read);
    const tail = bytes.subarray(0, length);
    let at = 0;
    while (at < length) {
      const sound = isSlot(tail, at) ? at : nextSlot(tail, at);
      // The rest may be a slot that is being written; it is read again when the file has grown.
      if (sound < 0) break;
      if (sound > at) this.#tellOfGap(this.#read + at, this.#read + sound);
      const id = subjectAt(tail, sound);
      if (!this.#slots.has(id)) this.#slots.set(id, this.#read + sound);
      at = sound + SLOT_BYTES;
    }
    this.#read += at;
  }

  #tellOfGap(from: number, to: number): void {
    this.#warn(
      `${this.#path} holds no sound key in bytes ${from} to ${to}: a write was cut short there, ` +
        'or the file is damaged. If content cannot be opened, restore it from a backup.',
    );
  }
}
