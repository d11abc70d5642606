import {
  createHash,
  createPrivateKey,
  createPublicKey,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { ERASURE_REASONS } from '#domain';
import type { Keys } from '#platform';

/** DER of a PKCS #8 Ed25519 key up to its 32-byte seed (RFC 8410, section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** DER of an Ed25519 public key up to its 32 bytes (RFC 8410, section 4). */
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex');

const count = z.number().int().nonnegative();

/** What an erasure says that it did; no text of the person is in it. */
export const statementSchema = z.strictObject({
  v: z.literal(1),
  userId: z.uuid(),
  reason: z.enum(ERASURE_REASONS),
  /** Who ordered it, when, and when every store was done. */
  by: z.uuid(),
  orderedAt: z.iso.datetime(),
  completedAt: z.iso.datetime(),
  seconds: z.number(),
  /** Sealed texts of theirs in the log: they stay, and nobody can open them. */
  log: z.strictObject({
    events: count,
    streams: count,
    opened: z.literal(0),
    position: z.number(),
  }),
  key: z.strictObject({ destroyed: z.literal(true), forgottenWithinMs: z.number() }),
  views: z.array(z.strictObject({ view: z.string(), documents: count, verified: count })),
  operations: z.array(z.strictObject({ collection: z.string(), documents: count })),
  files: z.array(z.strictObject({ store: z.string(), files: count })),
  claims: count,
  compaction: z.strictObject({
    method: z.enum(['copy and swap', 'compact']),
    bytesBefore: count,
    bytesAfter: count,
  }),
  /** Texts of theirs that were looked for in every byte of the data folder, and were not found. */
  scan: z.strictObject({ texts: count, files: count, bytes: count, hits: count }).optional(),
  /** In words: stores that hold nothing of people, and what stays. */
  nothingIn: z.array(z.string()),
  stays: z.array(z.string()),
});

/** What an erasure says that it did. */
export type Statement = z.infer<typeof statementSchema>;

const certificateSchema = z.strictObject({
  statement: statementSchema,
  /** Ed25519 over the RFC 8785 form of the statement; base64, as is the raw public key. */
  signature: z.base64(),
  publicKey: z.base64(),
});

/** A signed statement. */
export type Certificate = z.infer<typeof certificateSchema>;

const privateKeyOf = (keys: Keys): KeyObject => {
  const der = Buffer.concat([PKCS8_ED25519, keys.derive('erasure-certificates')]);
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
};

/** The key that certificates of this deployment are verified by: base64 of 32 bytes. */
export const publicKeyOf = (keys: Keys): string =>
  createPublicKey(privateKeyOf(keys))
    .export({ format: 'der', type: 'spki' })
    .subarray(SPKI_ED25519.length)
    .toString('base64');

const bytesOf = (statement: Statement): Buffer =>
  Buffer.from(canonicalize(statement) ?? '', 'utf8');

/** Signs what was done. */
export const certify = (statement: Statement, keys: Keys): Certificate => ({
  statement,
  signature: sign(null, bytesOf(statement), privateKeyOf(keys)).toString('base64'),
  publicKey: publicKeyOf(keys),
});

/** SHA-256 (hex) of a certificate, as the log has it. */
export const hashOf = (certificate: Certificate): string =>
  createHash('sha256')
    .update(canonicalize(certificate) ?? '')
    .digest('hex');

/**
 * Reads a certificate and verifies it. Throws where its form or signature is wrong, or the key is
 * not the one that is expected; without one, only that it is whole is known.
 */
export const verified = (text: string, expectedKey?: string): Certificate => {
  const certificate = certificateSchema.parse(JSON.parse(text));
  const { statement, signature, publicKey } = certificate;
  if (expectedKey !== undefined && publicKey !== expectedKey)
    throw new Error(`It is signed under ${publicKey}, not under the key that was given.`);
  const der = Buffer.concat([SPKI_ED25519, Buffer.from(publicKey, 'base64')]);
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  if (!verify(null, bytesOf(statement), key, Buffer.from(signature, 'base64')))
    throw new Error('The signature is not of this statement: the certificate was altered.');
  return certificate;
};
