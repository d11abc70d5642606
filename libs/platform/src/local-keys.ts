import {
  createCipheriv,
  createDecipheriv,
  hkdfSync,
  randomBytes,
  type CipherGCMTypes,
} from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { Clock } from './clock.js';
import { Keys, type SubjectKey } from './keys.js';

/**
 * A slot: magic 4, state 1, unused 3, subject 16, nonce 12, wrapped secret 32 and tag 16, CRC-32 4,
 * zeros to 128. Fixed, so that destroying a key overwrites it where it stands.
 */
const SLOT_BYTES = 128;
const MAGIC = 0x314b_4353;
const STATE_AT = 4;
const SUBJECT_AT = 8;
const NONCE_AT = 24;
const NONCE_BYTES = 12;
const WRAPPED_AT = 36;
const SECRET_BYTES = 32;
const TAG_BYTES = 16;
const CRC_AT = WRAPPED_AT + SECRET_BYTES + TAG_BYTES;
const ALIVE = 1;
const DESTROYED = 2;
const CIPHER: CipherGCMTypes = 'aes-256-gcm';
/** A destroyed key is forgotten by every process within a minute; looked for twice as often. */
const RECHECK_MS = 30_000;

type Known = { slot: number; key: SubjectKey | undefined };

const subjectBytes = (subject: string): Buffer => {
  const hex = subject.replaceAll('-', '');
  if (hex.length !== 32) throw new Error(`${subject} is not the UUID of a subject.`);
  return Buffer.from(hex, 'hex');
};

const masterKey = (folder: string, given: string): Buffer => {
  if (given !== '') {
    const key = Buffer.from(given, 'base64');
    if (key.length === SECRET_BYTES) return key;
    throw new Error(
      'MASTER_KEY is not the base64 of 32 bytes; `openssl rand -base64 32` makes one.',
    );
  }
  const path = join(folder, 'master.key');
  try {
    writeFileSync(path, randomBytes(SECRET_BYTES), { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    // Another process, or an earlier start, made it.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const key = readFileSync(path);
  if (key.length === SECRET_BYTES) return key;
  throw new Error(
    `${path} does not hold 32 bytes. Restore it from a backup: without it no content can be read.`,
  );
};

/**
 * Keys in one file that all processes of a machine share. A new key is one appended slot; of two
 * slots for one subject the first in the file counts, so processes need no lock.
 */
export class LocalKeys extends Keys {
  readonly #path: string;
  readonly #file: number;
  readonly #appending: FileHandle;
  readonly #master: Buffer;
  readonly #wrapping: Buffer;
  readonly #clock: Clock;
  readonly #known = new Map<string, Known>();
  readonly #derived = new Map<string, Buffer>();
  /** Bytes of the file that have been read. */
  #read = 0;
  #checkedAt: number;
  #wanted = new Map<string, Buffer>();
  #making: Promise<void> | undefined;

  private constructor(path: string, appending: FileHandle, master: Buffer, clock: Clock) {
    super();
    this.#path = path;
    this.#file = openSync(path, 'r+');
    this.#appending = appending;
    this.#master = master;
    this.#wrapping = Buffer.from(hkdfSync('sha256', master, '', 'scripta:wrap', SECRET_BYTES));
    this.#clock = clock;
    this.#checkedAt = clock.monotonic();
    this.#readTail();
  }

  /** Opens the keys in `<dataDir>/keys`; makes the folder, and a master key unless one is given. */
  static async open(
    options: Readonly<{ dataDir: string; masterKey: string }>,
    clock: Clock,
  ): Promise<LocalKeys> {
    const folder = join(options.dataDir, 'keys');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const master = masterKey(folder, options.masterKey);
    const path = join(folder, 'subjects.keys');
    return new LocalKeys(path, await open(path, 'a', 0o600), master, clock);
  }

  override async ensure(subject: string): Promise<SubjectKey | undefined> {
    this.#recheck();
    if (!this.#known.has(subject)) {
      this.#wanted.set(subject, subjectBytes(subject));
      // Subjects that are met in the same turn share one write and one sync.
      this.#making ??= Promise.resolve().then(() => this.#make());
      await this.#making;
    }
    return this.#known.get(subject)?.key;
  }

  async #make(): Promise<void> {
    this.#making = undefined;
    this.#readTail();
    const missing = [...this.#wanted].filter(([subject]) => !this.#known.has(subject));
    this.#wanted = new Map();
    if (missing.length === 0) return;
    const slots = missing.map(([, subject]) => this.#slot(subject));
    await this.#appending.write(Buffer.concat(slots));
    await this.#appending.datasync();
    this.#readTail();
  }

  override find(subject: string): SubjectKey | undefined {
    this.#recheck();
    const known = this.#known.get(subject);
    if (known) return known.key;
    this.#readTail();
    return this.#known.get(subject)?.key;
  }

  override async destroy(subject: string): Promise<void> {
    await this.ensure(subject);
    const known = this.#known.get(subject);
    if (!known) return;
    const slot = Buffer.alloc(SLOT_BYTES);
    slot.writeUInt32LE(MAGIC, 0);
    slot[STATE_AT] = DESTROYED;
    subjectBytes(subject).copy(slot, SUBJECT_AT);
    slot.writeUInt32LE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
    writeSync(this.#file, slot, 0, SLOT_BYTES, known.slot);
    fdatasyncSync(this.#file);
    known.key?.secret.fill(0);
    known.key = undefined;
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
    await this.#making;
    closeSync(this.#file);
    await this.#appending.close();
  }

  #slot(subject: Buffer): Buffer {
    const slot = Buffer.alloc(SLOT_BYTES);
    slot.writeUInt32LE(MAGIC, 0);
    slot[STATE_AT] = ALIVE;
    subject.copy(slot, SUBJECT_AT);
    const nonce = randomBytes(NONCE_BYTES);
    nonce.copy(slot, NONCE_AT);
    const cipher = createCipheriv(CIPHER, this.#wrapping, nonce);
    cipher.setAAD(subject);
    const wrapped = Buffer.concat([cipher.update(randomBytes(SECRET_BYTES)), cipher.final()]);
    Buffer.concat([wrapped, cipher.getAuthTag()]).copy(slot, WRAPPED_AT);
    slot.writeUInt32LE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
    return slot;
  }

  /** Reads whole slots that were appended since; a torn last one waits for its rest. */
  #readTail(): void {
    const whole = fstatSync(this.#file).size;
    const end = whole - (whole % SLOT_BYTES);
    if (end <= this.#read) return;
    const bytes = Buffer.alloc(end - this.#read);
    readSync(this.#file, bytes, 0, bytes.length, this.#read);
    for (let at = 0; at < bytes.length; at += SLOT_BYTES)
      this.#remember(bytes.subarray(at, at + SLOT_BYTES), this.#read + at);
    this.#read = end;
  }

  #remember(slot: Buffer, at: number): void {
    if (
      slot.readUInt32LE(0) !== MAGIC ||
      slot.readUInt32LE(CRC_AT) !== crc32(slot.subarray(0, CRC_AT))
    )
      throw new Error(`${this.#path} is damaged at byte ${at}. Restore it from a backup.`);
    const hex = slot.toString('hex', SUBJECT_AT, SUBJECT_AT + 16);
    const parts = [0, 8, 12, 16, 20].map((from, part) =>
      hex.slice(from, [8, 12, 16, 20, 32][part]),
    );
    const subject = parts.join('-');
    if (this.#known.has(subject)) return;
    const key = slot[STATE_AT] === ALIVE ? { secret: this.#unwrap(slot, at) } : undefined;
    this.#known.set(subject, { slot: at, key });
  }

  #unwrap(slot: Buffer, at: number): Buffer {
    const nonce = slot.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES);
    const decipher = createDecipheriv(CIPHER, this.#wrapping, nonce);
    decipher.setAAD(slot.subarray(SUBJECT_AT, SUBJECT_AT + 16));
    decipher.setAuthTag(slot.subarray(WRAPPED_AT + SECRET_BYTES, CRC_AT));
    try {
      const wrapped = slot.subarray(WRAPPED_AT, WRAPPED_AT + SECRET_BYTES);
      return Buffer.concat([decipher.update(wrapped), decipher.final()]);
    } catch (cause) {
      throw new Error(
        `The key at byte ${at} of ${this.#path} was wrapped by another master key. ` +
          'Set MASTER_KEY, or restore master.key, to the one it was made with.',
        { cause },
      );
    }
  }

  /** Forgets what another process destroyed. */
  #recheck(): void {
    const now = this.#clock.monotonic();
    if (now - this.#checkedAt < RECHECK_MS) return;
    this.#checkedAt = now;
    const bytes = Buffer.alloc(this.#read);
    readSync(this.#file, bytes, 0, bytes.length, 0);
    for (const known of this.#known.values()) {
      if (!known.key || bytes[known.slot + STATE_AT] === ALIVE) continue;
      known.key.secret.fill(0);
      known.key = undefined;
    }
  }
}
