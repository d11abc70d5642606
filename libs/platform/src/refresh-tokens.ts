import { createHmac, timingSafeEqual } from 'node:crypto';
import { Keys } from './keys.js';

/** Begins every refresh token, so that scanners for leaked secrets know one. */
const PREFIX = 'scr_';
const UUID_BYTES = 16;
const TURN_BYTES = 4;
const MAC_BYTES = 32;
const TOKEN_BYTES = UUID_BYTES + TURN_BYTES + MAC_BYTES;

/** What a refresh token says: its session, and the how-manieth of that session it is. */
export type RefreshClaims = Readonly<{ sessionId: string; turn: number }>;

/**
 * Refresh tokens: session and turn under an HMAC of the deployment's own key. The next one follows
 * from the one before, so that an answer that was lost can be given again, and nothing that is
 * stored tells a token.
 */
export class RefreshTokens {
  readonly #key: Buffer;

  constructor(keys: Keys) {
    this.#key = keys.derive('refresh-token');
  }

  /** The token of a session's turn. */
  issue({ sessionId, turn }: RefreshClaims): string {
    const body = Buffer.alloc(UUID_BYTES + TURN_BYTES);
    body.write(sessionId.replaceAll('-', ''), 'hex');
    body.writeUInt32BE(turn, UUID_BYTES);
    return PREFIX + Buffer.concat([body, this.#mac(body)]).toString('base64url');
  }

  /** What it says; nothing where it is none of ours. */
  read(token: string): RefreshClaims | undefined {
    const bytes = Buffer.from(token.slice(PREFIX.length), 'base64url');
    if (!token.startsWith(PREFIX) || bytes.length !== TOKEN_BYTES) return undefined;
    const body = bytes.subarray(0, UUID_BYTES + TURN_BYTES);
    if (!timingSafeEqual(bytes.subarray(body.length), this.#mac(body))) return undefined;
    const hex = body.toString('hex', 0, UUID_BYTES);
    const sessionId = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    return { sessionId, turn: body.readUInt32BE(UUID_BYTES) };
  }

  #mac(body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).digest().subarray(0, MAC_BYTES);
  }
}
