import { createHash, timingSafeEqual } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { PORTS, type Ports } from '#commands';
import { reject } from '#domain';
import type { DeviceInput } from './registration.js';

/** Where `operations` holds tickets; losing them has people begin their login again. */
const COLLECTION = 'tickets';
/** How long a scanned link is good for (abuse 83). */
export const LINK_TTL_MS = 60_000;
/** How long a login waits for what it lacks: a place for the device, or an approval. */
export const LOGIN_TTL_MS = 600_000;
const SECRET_BYTES = 32;

/** What a ticket waits for: a device to make room, an approval, or somebody to scan a link. */
export type TicketKind = 'room' | 'approval' | 'link';

/** A login that is under way, as it is kept. */
export type Ticket = Readonly<{
  kind: TicketKind;
  /** SHA-256 (hex) of what its holder shows. */
  secretHash: string;
  state: 'waiting' | 'approved' | 'refused';
  /** Whose login it is; of a link nobody's until it is approved. */
  userId?: string;
  approvedBy?: string;
  device: DeviceInput;
  expiresAtMs: number;
}>;

/** A ticket that was made: its id, and what its holder shows. */
export type MadeTicket = Readonly<{ id: string; ticket: string; expiresAt: string }>;

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();

const over = (): never =>
  reject('unauthorized', 'This ticket is not valid, used up or too old; begin the login again.');

/** Logins under way that lack something; each ticket is good for one login. */
@Injectable()
export class Tickets {
  constructor(@Inject(PORTS) private readonly ports: Ports) {}

  /** Makes a ticket. */
  async make(
    { kind, device, userId }: Pick<Ticket, 'kind' | 'device' | 'userId'>,
    ttlMs: number,
  ): Promise<MadeTicket> {
    const { random, clock, operations, timer } = this.ports;
    const id = random.uuid();
    const secret = random.bytes(SECRET_BYTES).toString('base64url');
    const expiresAtMs = clock.now() + ttlMs;
    const ticket: Ticket = {
      kind,
      device,
      secretHash: hashOf(secret).toString('hex'),
      state: 'waiting',
      expiresAtMs,
      ...(userId === undefined ? {} : { userId }),
    };
    await operations.put(COLLECTION, id, ticket);
    timer.after(ttlMs, () => void operations.take(COLLECTION, id).catch(() => undefined));
    return { id, ticket: `${id}.${secret}`, expiresAt: new Date(expiresAtMs).toISOString() };
  }

  /** The ticket that somebody shows, and its id. Throws `unauthorized`, always in the same words. */
  async shown(text: string): Promise<Ticket & Readonly<{ id: string }>> {
    const [id = '', secret = '', ...more] = text.split('.');
    const ticket = await this.ports.operations.get<Ticket>(COLLECTION, id);
    const hash = hashOf(secret);
    const isRight =
      more.length === 0 &&
      ticket !== undefined &&
      timingSafeEqual(Buffer.from(ticket.secretHash, 'hex'), hash);
    if (!isRight || ticket.expiresAtMs <= this.ports.clock.now()) return over();
    return { ...ticket, id };
  }

  /** Uses a ticket up: of two who try, one succeeds. */
  async use(id: string): Promise<void> {
    if (!(await this.ports.operations.take(COLLECTION, id))) over();
  }

  /** A device of a person approves or refuses; once only, and only what is theirs to approve. */
  async decide(
    id: string,
    who: Readonly<{ userId: string; deviceId: string }>,
    isApproved: boolean,
  ): Promise<void> {
    const { operations, clock } = this.ports;
    const ticket = await operations.get<Ticket>(COLLECTION, id);
    const isTheirs =
      ticket &&
      (ticket.kind === 'link' ? ticket.userId === undefined : ticket.userId === who.userId);
    if (!isTheirs || ticket.expiresAtMs <= clock.now())
      return reject('not_found', 'There is no login that waits for this approval.');
    const decided = {
      state: isApproved ? 'approved' : 'refused',
      userId: who.userId,
      approvedBy: who.deviceId,
    };
    if (!(await operations.change(COLLECTION, id, { state: 'waiting' }, decided)))
      reject('conflict', 'This login was decided on already.');
  }
}
