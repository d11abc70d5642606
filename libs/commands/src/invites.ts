import { createHmac, timingSafeEqual } from 'node:crypto';
import { reject } from '#domain';
import type { Keys } from '#platform';

/** Bytes of a link's MAC: 128 bits, as many as a UUID's own and more than anybody guesses. */
const MAC_BYTES = 16;
const UUID_BYTES = 16;
/** Characters of a token: two ids and the MAC in base64url. */
export const INVITE_TOKEN_CHARS = 64;

const bytesOf = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex');

const uuidIn = (bytes: Buffer): string =>
  bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** What a link names. */
export type InviteNames = Readonly<{ conversationId: string; inviteId: string }>;

/**
 * Secrets of links: a MAC (HMAC-SHA-256, cut to 128 bits) over the ids under a key of the server's
 * own, so that the log holds none of them, and whoever may invite can be shown a link again.
 */
export class Invites {
  readonly #key: Buffer;

  constructor(keys: Keys) {
    this.#key = keys.derive('invites');
  }

  /** What comes after the last slash of a link. */
  tokenOf({ conversationId, inviteId }: InviteNames): string {
    const ids = Buffer.concat([bytesOf(conversationId), bytesOf(inviteId)]);
    return Buffer.concat([ids, this.#macOf(ids)]).toString('base64url');
  }

  /** What a token names; throws `not_found` for one that was not made here. */
  read(token: string): InviteNames {
    const bytes = Buffer.from(token, 'base64url');
    const ids = bytes.subarray(0, 2 * UUID_BYTES);
    const mac = bytes.subarray(2 * UUID_BYTES);
    if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#macOf(ids)))
      reject('not_found', 'This link is not valid, or not any more.');
    return {
      conversationId: uuidIn(ids.subarray(0, UUID_BYTES)),
      inviteId: uuidIn(ids.subarray(UUID_BYTES)),
    };
  }

  #macOf(ids: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(ids).digest().subarray(0, MAC_BYTES);
  }
}
