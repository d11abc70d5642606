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
export type AccessClaims = Who & Readonly<{ sessionId: string; expiresAtMs: number }>;

/** How keys change: `rotationS` seconds each is used for, `generation` to end all at once. */
export type KeyRotation = Readonly<{ rotationS: number; generation: number }>;

/** A public key as RFC 7517 and RFC 8037 write it. */
export type PublicJwk = Readonly<{
  kty: 'OKP';
  crv: 'Ed25519';
  x: string;
  kid: string;
  alg: 'EdDSA';
  use: 'sig';
}>;

type SigningKey = Readonly<{ kid: string; own: KeyObject; shown: KeyObject }>;

const refuse = (): never =>
  reject('unauthorized', 'The access token is missing, expired or not valid here; log in again.');

/**
 * Access tokens: JWT signed with Ed25519. The key of each stretch of time is derived from the master
 * key, so that every process signs and verifies without asking anyone; a token is believed under
 * the key of now, of the stretch before and of the one after. Algorithm and key are ours, never the
 * token's: its `kid` only chooses among these three.
 */
export class AccessTokens {
  readonly #keys = new Map<string, SigningKey>();
  readonly #verified = new Map<string, AccessClaims>();
  readonly #rotation: KeyRotation;

  constructor(
    private readonly keys: Keys,
    private readonly clock: Clock,
    private readonly ttlS: number,
    rotation: KeyRotation = { rotationS: 2_592_000, generation: 1 },
  ) {
    // A token outlives the stretch it was made in at most into the next one.
    this.#rotation = { ...rotation, rotationS: Math.max(rotation.rotationS, ttlS) };
  }

  /** A token for a session of a device of a person, and when it ends. */
  async issue({ userId, deviceId, sessionId }: Who & Readonly<{ sessionId: string }>) {
    const issuedS = Math.floor(this.clock.now() / 1_000);
    const { kid, own } = this.#key(this.#stretch());
    const token = await new SignJWT({ did: deviceId, sid: sessionId })
      .setProtectedHeader({ alg: 'EdDSA', typ: TYPE, kid })
      .setSubject(userId)
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setIssuedAt(issuedS)
      .setExpirationTime(issuedS + this.ttlS)
      .sign(own);
    return { token, expiresAtMs: (issuedS + this.ttlS) * 1_000 };
  }

  /** The public keys under which a token may be signed now, for others to verify by. */
  publicKeys(): readonly PublicJwk[] {
    return this.#current().map(({ kid, shown }) => {
      const { x = '' } = shown.export({ format: 'jwk' });
      return { kty: 'OKP', crv: 'Ed25519', x, kid, alg: 'EdDSA', use: 'sig' };
    });
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
    const keyOf = ({ kid }: Readonly<{ kid?: string | undefined }>): KeyObject =>
      this.#current().find((key) => key.kid === kid)?.shown ?? refuse();
    const { payload } = await jwtVerify(token, keyOf, {
      algorithms: ['EdDSA'],
      issuer: ISSUER,
      audience: AUDIENCE,
      typ: TYPE,
      requiredClaims: ['sub', 'exp', 'iat', 'did', 'sid'],
      maxTokenAge: this.ttlS + CLOCK_SKEW_S,
      clockTolerance: CLOCK_SKEW_S,
      currentDate: new Date(this.clock.now()),
    }).catch(refuse);
    const { sub, did, sid, exp } = payload;
    if (sub === undefined || exp === undefined) return refuse();
    if (typeof did !== 'string' || typeof sid !== 'string') return refuse();
    return { userId: sub, deviceId: did, sessionId: sid, expiresAtMs: exp * 1_000 };
  }

  /** The keys of now, of before and of after. */
  #current(): readonly SigningKey[] {
    const now = this.#stretch();
    return [now, now - 1, now + 1].map((stretch) => this.#key(stretch));
  }

  #stretch(): number {
    return Math.floor(this.clock.now() / 1_000 / this.#rotation.rotationS);
  }

  #key(stretch: number): SigningKey {
    const kid = `${this.#rotation.generation}.${stretch}`;
    let key = this.#keys.get(kid);
    if (!key) {
      const der = Buffer.concat([PKCS8_ED25519, this.keys.derive(`access-token:${kid}`)]);
      const own = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
      key = { kid, own, shown: createPublicKey(own) };
      this.#keys.set(kid, key);
    }
    return key;
  }
}
