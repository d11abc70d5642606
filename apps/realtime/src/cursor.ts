import { createHmac, createSecretKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { reject } from '#domain';
import { EventStore, Keys, type Checkpoint } from '#platform';

/** The place before the first event: where a device stands whose log was still empty. */
export const ORIGIN: Checkpoint = { position: -1, eventId: '' };

/** Whose a cursor is. */
export type Holder = Readonly<{ userId: string; deviceId: string }>;

/** A cursor's bytes: version, position, event id, and a truncated HMAC-SHA-256 of whose it is. */
const VERSION = 1;
const POSITION_AT = 1;
const ID_AT = 9;
const MAC_AT = 25;
/** NIST SP 800-107 takes 128 bits of an HMAC for ample where it is checked online. */
const MAC_BYTES = 16;
const CURSOR_BYTES = MAC_AT + MAC_BYTES;
const CURSOR = /^[A-Za-z0-9_-]{55}$/;
const NO_ID = '0'.repeat(32);

const idOf = (bytes: Buffer): string => {
  const hex = bytes.toString('hex', ID_AT, MAC_AT);
  if (hex === NO_ID) return '';
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/u, '$1-$2-$3-$4-$5');
};

/**
 * Gives devices the cursors by which they resume: a place in the log, signed for one device. Any
 * process that has the deployment's keys takes it, however old it is.
 */
@Injectable()
export class Cursors {
  readonly #key: KeyObject;
  /** Under way: a herd comes back with few cursors. */
  readonly #asked = new Map<number, Promise<string | undefined>>();

  constructor(
    keys: Keys,
    private readonly store: EventStore,
  ) {
    this.#key = createSecretKey(keys.derive('cursor'));
  }

  /** The cursor of a place, for one device. */
  of({ position, eventId }: Checkpoint, holder: Holder): string {
    const bytes = Buffer.alloc(CURSOR_BYTES);
    bytes[0] = VERSION;
    bytes.writeBigInt64BE(BigInt(position), POSITION_AT);
    bytes.write(eventId.replaceAll('-', ''), ID_AT, 'hex');
    this.#mac(bytes, holder).copy(bytes, MAC_AT, 0, MAC_BYTES);
    return bytes.toString('base64url');
  }

  /**
   * The place that a cursor names. Throws `resync_required` for what is none, such as the cursors of
   * an earlier version, and `forbidden` for one that was not given to this device.
   */
  placeOf(cursor: string, holder: Holder): Checkpoint {
    if (!CURSOR.test(cursor)) return resync();
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes[0] !== VERSION) return resync();
    const mac = this.#mac(bytes, holder).subarray(0, MAC_BYTES);
    if (!timingSafeEqual(mac, bytes.subarray(MAC_AT)))
      reject('forbidden', 'This cursor was not given to this device; resume with null.');
    return { position: Number(bytes.readBigInt64BE(POSITION_AT)), eventId: idOf(bytes) };
  }

  /** Throws `resync_required` for a place that the log does not have (any more). */
  async mustBeInLog({ position, eventId }: Checkpoint): Promise<void> {
    let asking = this.#asked.get(position);
    if (!asking) {
      asking = this.store
        .at(position)
        .then((event) => event?.id)
        .finally(() => this.#asked.delete(position));
      this.#asked.set(position, asking);
    }
    if ((await asking) !== eventId) resync();
  }

  #mac(bytes: Buffer, { userId, deviceId }: Holder): Buffer {
    return createHmac('sha256', this.#key)
      .update(`${userId}:${deviceId}:`)
      .update(bytes.subarray(0, MAC_AT))
      .digest();
  }
}

/** Refuses a cursor that the log does not know. */
export const resync = (): never =>
  reject(
    'resync_required',
    'The log does not know this cursor; fetch lists and history anew and resume with null.',
  );
