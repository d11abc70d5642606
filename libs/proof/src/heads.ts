import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from 'node:crypto';
import { canonical } from './canonical.js';
import { sha256 } from './leaves.js';

/** The root (hex) over a log's first `size` leaves, the last of which is at `position`. */
export type TreeHead = Readonly<{ size: number; root: string; position: number; at: string }>;

/** A head with who signed it (the key's id) and the signature in base64. */
export type SignedHead = TreeHead & Readonly<{ key: string; signature: string }>;

/** Hex digits of a key's SHA-256 that name it. */
const KEY_ID_DIGITS = 16;

const publicOf = (key: KeyObject): KeyObject =>
  key.type === 'private' ? createPublicKey(key) : key;

/** Names a public key: the beginning of the SHA-256 (hex) of its SubjectPublicKeyInfo. */
export const keyIdOf = (key: KeyObject): string =>
  sha256(publicOf(key).export({ type: 'spki', format: 'der' }))
    .toString('hex')
    .slice(0, KEY_ID_DIGITS);

/** The public key in a text: PEM, or the base64 of its SubjectPublicKeyInfo. Throws for others. */
export const publicKeyOf = (text: string): KeyObject => {
  const written = text.trim();
  const key = written.startsWith('-----')
    ? createPublicKey(written)
    : createPublicKey({ key: Buffer.from(written, 'base64'), type: 'spki', format: 'der' });
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('The key is not one of Ed25519.');
  return key;
};

/** A public key as one writes it down: base64 of its SubjectPublicKeyInfo. */
export const writtenKey = (key: KeyObject): string =>
  publicOf(key).export({ type: 'spki', format: 'der' }).toString('base64');

/** A public key as PEM. */
export const publicPemOf = (key: KeyObject): string =>
  publicOf(key).export({ type: 'spki', format: 'pem' }).toString();

/** A new signing key as PEM (PKCS 8). */
export const newSigningKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** The signing key in a PEM. */
export const signingKeyOf = (pem: string): KeyObject => createPrivateKey(pem);

/** The bytes that are signed: RFC 8785 of the head with its format's name and the key's id. */
const signedBytes = ({ size, root, position, at }: TreeHead, key: string): Buffer =>
  Buffer.from(canonical({ at, format: 'scripta-tree-head/1', key, position, root, size }));

/** Signs a head with Ed25519 (RFC 8032). */
export const signHead = (head: TreeHead, signingKey: KeyObject): SignedHead => {
  const key = keyIdOf(signingKey);
  const signature = sign(null, signedBytes(head, key), signingKey).toString('base64');
  const { size, root, position, at } = head;
  return { size, root, position, at, key, signature };
};

/** Whether a head was signed by a key. */
export const isSignedBy = (head: SignedHead, key: KeyObject): boolean =>
  head.key === keyIdOf(key) &&
  verify(null, signedBytes(head, head.key), key, Buffer.from(head.signature, 'base64'));

const HEX_ROOT = /^[0-9a-f]{64}$/;

/** Whether a text is written as base64 in the one way there is: no two texts are one signature. */
const isBase64 = (text: unknown): boolean =>
  typeof text === 'string' && Buffer.from(text, 'base64').toString('base64') === text;

/** Whether a value has the form of a signed head. */
export const isHead = (value: unknown): value is SignedHead => {
  if (typeof value !== 'object' || value === null) return false;
  const head: Readonly<Record<string, unknown>> = { ...value };
  return (
    Number.isSafeInteger(head['size']) &&
    Number.isSafeInteger(head['position']) &&
    HEX_ROOT.test(String(head['root'])) &&
    ['at', 'key'].every((name) => typeof head[name] === 'string') &&
    isBase64(head['signature'])
  );
};
