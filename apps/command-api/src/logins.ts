import { Injectable } from '@nestjs/common';
import type { Accepted } from '#commands';
import { reject, Rejection } from '#domain';
import type { Who } from '#platform';
import { OneTimeCodes, wrongCode } from './one-time-codes.js';
import { Registration, type Arrival, type DeviceInput } from './registration.js';
import { Sessions, type TokenPair } from './sessions.js';
import { LINK_TTL_MS, LOGIN_TTL_MS, Tickets } from './tickets.js';

/** Pause before a ticket that waits is shown again (ms). */
const ASK_AGAIN_MS = 1_000;
/** Begins what a QR code of a link says. */
export const LINK_PAYLOAD = 'scripta:link:';

/** Where a login comes from, and which device it may push out. */
export type From = Readonly<{
  address: string;
  place: string | undefined;
  replacing: string | undefined;
}>;

/** What a finished login answers. */
export type LoggedIn = TokenPair &
  Readonly<{
    userId: string;
    deviceId: string;
    sessionId: string;
    registered: boolean;
    position: string;
  }>;

/** Logins: by code, by the ticket of one that lacked something, by a link that was scanned. */
@Injectable()
export class Logins {
  constructor(
    private readonly codes: OneTimeCodes,
    private readonly registration: Registration,
    private readonly sessions: Sessions,
    private readonly tickets: Tickets,
  ) {}

  /**
   * By a code. Where an existing device must approve, or a device must make room, the refusal
   * carries a ticket with which the login goes on without a new code.
   */
  async byCode(
    asked: Readonly<{ requestId: string; code: string; name: string; device: DeviceInput }>,
    { address, ...from }: From,
  ): Promise<LoggedIn> {
    const { requestId, code, device } = asked;
    const phone = await this.#proven(requestId, code, { address, ...from });
    const { userId, registered } = await this.registration.personOf(requestId, phone, asked.name);
    const arrival: Arrival = { loginId: requestId, device, method: 'code', ...from };
    if (await this.registration.needsApproval(userId, device)) return this.#held(userId, arrival);
    return { ...(await this.#admitted(userId, arrival)), registered };
  }

  /** By a ticket: what it waited for must have come. */
  async byTicket(shown: string, { place, replacing }: From): Promise<LoggedIn> {
    const ticket = await this.tickets.shown(shown);
    const { id, kind, state, userId, device, approvedBy } = ticket;
    if (state === 'refused') {
      await this.tickets.use(id);
      reject('forbidden', 'This login was refused on another device.');
    }
    if (kind !== 'room' && state !== 'approved')
      reject('approval_required', 'Nobody has approved this login yet; ask again.', {
        retryAfterMs: ASK_AGAIN_MS,
      });
    if (userId === undefined) return reject('unauthorized', 'Begin the login again.');
    await this.tickets.use(id);
    const method = kind === 'room' ? 'code' : kind;
    const arrival: Arrival = { loginId: id, device, method, approvedBy, place, replacing };
    return { ...(await this.#admitted(userId, arrival)), registered: false };
  }

  /** Begins a link: the payload is for another device's camera, the ticket for this one. */
  async link(device: DeviceInput) {
    const { id, ...made } = await this.tickets.make({ kind: 'link', device }, LINK_TTL_MS);
    return { payload: `${LINK_PAYLOAD}${id}`, ...made };
  }

  /** Has a person go by another number, by a code that was sent to it. */
  async changePhone(
    who: Who,
    { requestId, code }: Readonly<{ requestId: string; code: string }>,
    from: From,
  ): Promise<Accepted> {
    const phone = await this.#proven(requestId, code, from);
    return this.registration.moveTo(who, requestId, phone);
  }

  async #proven(requestId: string, code: string, { address, place }: From): Promise<string> {
    const guess = await this.codes.redeem(requestId, code, address);
    if ('proven' in guess) return guess.proven;
    // Not waited for: the answer's time is not to say whether the number has an account.
    if (guess.guessedAt !== undefined)
      void this.registration.noteRefused(requestId, guess.guessedAt, place);
    return wrongCode();
  }

  async #admitted(userId: string, arrival: Arrival): Promise<Omit<LoggedIn, 'registered'>> {
    try {
      const { position, ...session } = await this.registration.admit(userId, arrival);
      return { ...(await this.sessions.first(session)), ...session, position };
    } catch (error) {
      if (!(error instanceof Rejection) || error.code !== 'too_many_devices') throw error;
      return this.#crowded(userId, arrival, error);
    }
  }

  async #held(userId: string, arrival: Arrival): Promise<never> {
    const { device } = arrival;
    const { id, ...made } = await this.tickets.make(
      { kind: 'approval', userId, device },
      LOGIN_TTL_MS,
    );
    await this.registration.hold(userId, id, arrival);
    return reject('approval_required', 'Approve this login on one of your devices.', {
      ...made,
      retryAfterMs: ASK_AGAIN_MS,
    });
  }

  /** Says which devices there are: who gets here has proven that they are theirs. */
  async #crowded(userId: string, { device }: Arrival, { message }: Rejection): Promise<never> {
    const linked = await this.registration.devicesOf(userId);
    const { id: _id, ...made } = await this.tickets.make(
      { kind: 'room', userId, device },
      LOGIN_TTL_MS,
    );
    const devices = linked.map(({ deviceId, name, platform, at }) => ({
      deviceId,
      name,
      platform,
      linkedAt: at,
    }));
    return reject('too_many_devices', message, { devices, ...made });
  }
}
