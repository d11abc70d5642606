import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { reject } from '#domain';
import { Clock } from './clock.js';
import { Keys } from './keys.js';

/** DER of a PKCS #8 Ed25519 key up to its 32-byte seed (RFC 8410, section 7). */
const PKCS8_ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex');
const ISSUER = 'scripta';
const AUDIENCE = 'scripta';
/** RFC 9068, section 2.1: keeps other kinds of JWT from being taken for access tokens. */
const TYPE = 'at+jwt';
/** What machines' clocks may differ by (a minute, as the fault matrix asks). */
const CLOCK_SKEW_S = 60;
/** Verified tokens kept for herds of reconnects: about 1 KiB each, so at most 16 MiB. */
const VERIFIED_MAX = 16_384;
/** A token of ours is near 400 characters; anything far longer is refused unread. */
const TOKEN_CHARS_MAX = 4_096;

/** Who speaks: a person and the device they speak from. */
export type Who = Readonly<{ userId: string; deviceId: string }>;

/** What an access token says. */
export type AccessClaims = Who & Readonly<{ expiresAtMs: number }>;

const refuse = (): never =>
  reject('unauthorized', 'The access token is missing, expired or not valid here; log in again.');

/**
 * Access tokens: JWT signed with Ed25519 under a key derived from the master key, so that every
 * process can verify without asking anyone. The algorithm and the key are ours, never the token's.
 */
export class AccessTokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #verified = new Map<string, AccessClaims>();

  constructor(
    keys: Keys,
    private readonly clock: Clock,
    private readonly ttlS: number,
  ) {
    const key = Buffer.concat([PKCS8_ED25519, keys.derive('access-token')]);
    this.#privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' });
    this.#publicKey = createPublicKey(this.#privateKey);
  }

  /** A token for a device of a person, and when it ends. */
  async issue({ userId, deviceId }: Who): Promise<{ token: string; expiresAtMs: number }> {
    const issuedS = Math.floor(this.clock.now() / 1_000);
    const token = await new SignJWT({ did: deviceId })
      .setProtectedHeader({ alg: 'EdDSA', typ: TYPE })
      .setSubject(userId)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedS)
      .setExpirationTime(issuedS + this.ttlS)
      .sign(this.#privateKey);
    return { token, expiresAtMs: (issuedS + this.ttlS) * 1_000 };
  }

  /** Who a token speaks for. Throws `unauthorized`, always in the same words. */
  async verify(token: string): Promise<AccessClaims> {
    const known = this.#verified.get(token);
    if (known) return this.#unexpired(token, known);
    if (token.length > TOKEN_CHARS_MAX) return refuse();
    const claims = await this.#read(token);
    if (this.#verified.size >= VERIFIED_MAX) {
      const [oldest] = this.#verified.keys();
      if (oldest !== undefined) this.#verified.delete(oldest);
    }
    this.#verified.set(token, claims);
    return claims;
  }

  #unexpired(token: string, claims: AccessClaims): AccessClaims {
    if (claims.expiresAtMs + CLOCK_SKEW_S * 1_000 > this.clock.now()) return claims;
    this.#verified.delete(token);
    return refuse();
  }

  async #read(token: string): Promise<AccessClaims> {
    const { payload } = await jwtVerify(token, this.#publicKey, {
      algorithms: ['EdDSA'],
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: TYPE,
      requiredClaims: ['sub', 'exp', 'iat', 'did'],
      maxTokenAge: this.ttlS + CLOCK_SKEW_S,
      clockTolerance: CLOCK_SKEW_S,
      currentDate: new Date(this.clock.now()),
    }).catch(refuse);
    const { sub, did, exp } = payload;
    if (typeof sub !== 'string' || typeof did !== 'string' || exp === undefined) return refuse();
    return { userId: sub, deviceId: did, expiresAtMs: exp * 1_000 };
  }
}
