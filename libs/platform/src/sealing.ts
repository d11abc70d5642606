import { createCipheriv, createDecipheriv, hash } from 'node:crypto';
import type { Random } from './clock.js';
import { isRecord, type Json } from './event-shapes.js';
import { keyObjectOf, type SubjectKey } from './keys.js';

/** AES-256-GCM's nonce and tag (NIST SP 800-38D). */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CIPHER = 'aes-256-gcm';
/** Random bytes in each plaintext, so that a commitment cannot be guessed from a short text. */
const SALT_BYTES = 32;

/** Personal leaves in the log: base64 of nonce, ciphertext and tag; SHA-256 of the plaintext. */
export type Sealed = Readonly<{ subject: string; box: string; commit: string }>;

/** What binds a box to its event, so that it cannot be moved to another. */
export type Bound = Readonly<{ id: string; type: string }>;

/** Whether a value has the form of a seal. */
export const isSealed = (value: unknown): value is Sealed =>
  isRecord(value) &&
  typeof value['subject'] === 'string' &&
  typeof value['box'] === 'string' &&
  typeof value['commit'] === 'string';

/**
 * RFC 8785 canonical JSON of a flat record of texts: names in order of UTF-16 code units, and
 * JSON.stringify's own escapes, which are the RFC's.
 */
export const canonicalTexts = (texts: Readonly<Record<string, string>>): string =>
  `{${Object.keys(texts)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(texts[name])}`)
    .join()}}`;

const boundTo = ({ id, type }: Bound): Buffer => Buffer.from(`${id}:${type}`, 'utf8');

/** Seals texts under a person's key, with a commitment that outlives the key. */
export const seal = (
  texts: Readonly<Record<string, string>>,
  bound: Bound,
  key: SubjectKey,
  random: Random,
): Pick<Sealed, 'box' | 'commit'> => {
  const chance = random.bytes(SALT_BYTES + NONCE_BYTES);
  const salt = chance.toString('base64', 0, SALT_BYTES);
  const nonce = chance.subarray(SALT_BYTES);
  const plaintext = canonicalTexts({ ...texts, salt });
  const cipher = createCipheriv(CIPHER, keyObjectOf(key), nonce);
  cipher.setAAD(boundTo(bound));
  const inner = [cipher.update(plaintext, 'utf8'), cipher.final()];
  const box = Buffer.concat([nonce, ...inner, cipher.getAuthTag()]).toString('base64');
  return { box, commit: hash('sha256', plaintext, 'hex') };
};

/** Opens a box. Throws when it was changed, moved, or is not what was committed to. */
export const unseal = ({ box, commit }: Sealed, bound: Bound, key: SubjectKey): Json => {
  const bytes = Buffer.from(box, 'base64');
  const nonce = bytes.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv(CIPHER, keyObjectOf(key), nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundTo(bound));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  const inner = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
  const plaintext = decipher.update(inner, undefined, 'utf8') + decipher.final('utf8');
  if (hash('sha256', plaintext, 'hex') !== commit)
    throw new Error('The plaintext is not what was committed to.');
  const texts: unknown = JSON.parse(plaintext);
  if (!isRecord(texts)) throw new Error('The plaintext is not a record.');
  return texts;
};
