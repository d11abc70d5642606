import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { SECRET_BYTES } from './master-key.js';

/**
 * A slot: magic 4, state 1, unused 3, subject 16, nonce 12, wrapped secret 32 and tag 16, zeros to
 * 124, CRC-32 of all that 4. Fixed, so that destroying a key overwrites it where it stands.
 */
export const SLOT_BYTES = 128;
const MAGIC = Buffer.from('SCK1', 'latin1');
const STATE_AT = 4;
const SUBJECT_AT = 8;
const NONCE_AT = 24;
const WRAPPED_AT = 36;
const TAG_AT = WRAPPED_AT + SECRET_BYTES;
const CRC_AT = SLOT_BYTES - 4;
/** AES-256-GCM's nonce and tag (NIST SP 800-38D). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
const ALIVE = 1;
const DESTROYED = 2;

/** The bytes of a subject's UUID. Throws when it is none. */
export const subjectBytes = (subject: string): Buffer => {
  const bytes = Buffer.from(subject.replaceAll('-', ''), 'hex');
  if (bytes.length !== NONCE_AT - SUBJECT_AT || subject.length !== 36)
    throw new Error(`${subject} is not the UUID of a subject.`);
  return bytes;
};

const slotOf = (subject: string, state: number): Buffer => {
  const slot = Buffer.alloc(SLOT_BYTES);
  MAGIC.copy(slot);
  slot[STATE_AT] = state;
  subjectBytes(subject).copy(slot, SUBJECT_AT);
  return slot;
};

const checked = (slot: Buffer): Buffer => {
  slot.writeUInt32LE(crc32(slot.subarray(0, CRC_AT)), CRC_AT);
  return slot;
};

/** A slot with a new secret, wrapped. */
export const liveSlot = (subject: string, wrapping: Buffer): Buffer => {
  const slot = slotOf(subject, ALIVE);
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, wrapping, nonce);
  cipher.setAAD(slot.subarray(SUBJECT_AT, NONCE_AT));
  nonce.copy(slot, NONCE_AT);
  const sealed = [cipher.update(randomBytes(SECRET_BYTES)), cipher.final(), cipher.getAuthTag()];
  Buffer.concat(sealed).copy(slot, WRAPPED_AT);
  return checked(slot);
};

/** A slot that says that the subject's key was destroyed. */
export const destroyedSlot = (subject: string): Buffer => checked(slotOf(subject, DESTROYED));

/** Whether a sound slot begins here. */
export const isSlot = (bytes: Buffer, at: number): boolean =>
  at + SLOT_BYTES <= bytes.length &&
  bytes.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) === 0 &&
  bytes.readUInt32LE(at + CRC_AT) === crc32(bytes.subarray(at, at + CRC_AT));

/** Where the next sound slot begins, -1 if there is none. */
export const nextSlot = (bytes: Buffer, from: number): number => {
  let at = bytes.indexOf(MAGIC, from);
  while (at >= 0 && !isSlot(bytes, at)) at = bytes.indexOf(MAGIC, at + 1);
  return at;
};

/** Whose key it is. */
export const subjectAt = (bytes: Buffer, at: number): string => {
  const hex = bytes.toString('hex', at + SUBJECT_AT, at + NONCE_AT);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

/** The secret in a slot; `undefined` once destroyed. Throws under another master key. */
export const secretOf = (slot: Buffer, wrapping: Buffer): Buffer | undefined => {
  if (slot[STATE_AT] !== ALIVE) return undefined;
  const nonce = slot.subarray(NONCE_AT, NONCE_AT + NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, wrapping, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(slot.subarray(SUBJECT_AT, NONCE_AT));
  decipher.setAuthTag(slot.subarray(TAG_AT, TAG_AT + TAG_BYTES));
  const wrapped = slot.subarray(WRAPPED_AT, WRAPPED_AT + SECRET_BYTES);
  return Buffer.concat([decipher.update(wrapped), decipher.final()]);
};
