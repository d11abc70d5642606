import type { IncomingMessage } from 'node:http';
import { Inject, Injectable } from '@nestjs/common';
import type { Server, Socket } from 'socket.io';
import { z } from 'zod';
import { Rejection, type RejectionCode } from '#domain';
import { AccountNews, CONFIG } from '#commands';
import {
  addressOf,
  limitOf,
  RateLimiter,
  REJECTION_STATUS,
  tally,
  waitMsOf,
  type AccessClaims,
  type Config,
  type Limit,
} from '#platform';
import { Connections } from './connections.js';

/** Unknown namespaces one connection may ask for (abuse 38). */
const NAMESPACES_MAX = 5;

/** The revision of Engine.IO that is spoken here; the one before has other pings (abuse 37). */
const PROTOCOL = '4';
/** Where a token may not travel: queries end up in logs (abuse 34). */
const SECRETS_IN_QUERY = ['token', 'access_token', 'auth', 'authorization'] as const;
const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

const authSchema = z.object({
  token: z.string().min(1),
  protocol: z.literal(1),
  capabilities: z.array(z.string().max(64)).max(64).default([]),
});

/** What a handshake has shown. */
export type Admitted = Readonly<{ claims: AccessClaims; capabilities: readonly string[] }>;

type Engine = Server['engine'];
/** Engine.IO's connection, as far as the doorman needs it. */
type Wire = Pick<Socket['conn'], 'close' | 'prependListener'>;

const originOf = (url: string): string => {
  const { protocol, hostname, port } = new URL(url);
  // All of loopback's names are one origin: a laptop's browser uses any of them.
  return LOOPBACK_NAMES.has(hostname) ? `${protocol}//localhost:${port}` : new URL(url).origin;
};

/** A refusal as `connect_error` has it: the code as its message. */
const connectError = (error: unknown): Error => {
  const { code, details } =
    error instanceof Rejection ? error : { code: 'unavailable' as const, details: {} };
  const { retryable } = REJECTION_STATUS[code];
  tally('refused', code, 'handshake');
  return Object.assign(new Error(code), { data: { code, retryable, ...details } });
};

/** Decides who may connect, before there is a socket (findings R8 and R9). */
@Injectable()
export class Doorman {
  readonly #origins: ReadonlySet<string>;
  readonly #handshakes: Limit | undefined;
  readonly #connects: Limit | undefined;
  readonly #asked = new WeakMap<Wire, number>();

  constructor(
    private readonly limiter: RateLimiter,
    private readonly connections: Connections,
    private readonly news: AccountNews,
    @Inject(CONFIG) config: Config,
  ) {
    const others = config.ALLOWED_ORIGINS.split(',').map((origin) => origin.trim());
    const allowed = [config.PUBLIC_URL, ...others].filter((origin) => URL.canParse(origin));
    this.#origins = new Set(allowed.map(originOf));
    this.#handshakes = limitOf(config, 'handshakes');
    this.#connects = limitOf(config, 'connects');
  }

  /**
   * Engine.IO's `allowRequest`. A refusal is written here, because Engine.IO answers every refused
   * upgrade by 400, whatever its reason.
   */
  async allowRequest(request: IncomingMessage, allow: () => void): Promise<void> {
    const { origin } = request.headers;
    const { searchParams } = new URL(request.url ?? '/', 'ws://localhost');
    if (searchParams.get('EIO') !== PROTOCOL)
      return turnAway(request, 'bad_request', 'This speaks Engine.IO 4.');
    if (SECRETS_IN_QUERY.some((name) => searchParams.has(name)))
      return turnAway(request, 'forbidden', 'Show the token in `auth`.');
    if (origin !== undefined && !this.#isAllowed(origin))
      return turnAway(request, 'forbidden', 'Not from this origin.');
    const waitMs = await waitMsOf(this.limiter, this.#handshakes, addressOf(request));
    if (waitMs > 0) return turnAway(request, 'rate_limited', 'Connects too often.', waitMs);
    allow();
  }

  #isAllowed(origin: string): boolean {
    return URL.canParse(origin) && this.#origins.has(originOf(origin));
  }

  /** Socket.IO's middleware: leaves what it found out in `socket.data`. */
  async authenticate(socket: Socket, next: (error?: Error) => void): Promise<void> {
    try {
      socket.data = await this.admit(socket.handshake.auth);
      next();
    } catch (error) {
      next(connectError(error));
      // One try a connection; the answer goes out first.
      setImmediate(() => socket.conn.close());
    }
  }

  /** What a handshake shows, whatever it came by. Throws a `Rejection`. */
  async admit(auth: unknown): Promise<Admitted> {
    const read = authSchema.safeParse(auth);
    if (!read.success) {
      const isTokenless = read.error.issues.some(({ path }) => path[0] === 'token');
      throw new Rejection(
        isTokenless ? 'unauthorized' : 'bad_request',
        'The handshake takes auth: { token, protocol: 1, capabilities: [] }.',
      );
    }
    const claims = await this.news.verify(read.data.token);
    const retryAfterMs = await waitMsOf(this.limiter, this.#connects, claims.userId);
    if (retryAfterMs > 0)
      throw new Rejection('rate_limited', 'Connects too often.', { retryAfterMs });
    this.connections.mustHavePlace(claims);
    return { claims, capabilities: read.data.capabilities };
  }

  /** Closes connections that send binary, which nothing here takes, or knock at many namespaces. */
  guard(engine: Engine): void {
    engine.on('connection', (wire: Wire) => {
      wire.prependListener('data', (packet: unknown) => {
        if (!this.#isDecent(wire, packet)) wire.close();
      });
    });
  }

  #isDecent(wire: Wire, packet: unknown): boolean {
    if (typeof packet !== 'string') return false;
    const [type, first] = packet;
    if (type === '5' || type === '6') return false;
    if (type !== '0' || first !== '/') return true;
    const asked = (this.#asked.get(wire) ?? 0) + 1;
    this.#asked.set(wire, asked);
    return asked <= NAMESPACES_MAX;
  }
}

/** How a refused upgrade is answered, by its code. */
const UPGRADE_STATUS = {
  bad_request: '400 Bad Request',
  forbidden: '403 Forbidden',
  rate_limited: '429 Too Many Requests',
} as const satisfies Partial<Record<RejectionCode, string>>;

/** Answers an upgrade by a status and a reason, and hangs up. */
const turnAway = (
  { socket }: IncomingMessage,
  code: keyof typeof UPGRADE_STATUS,
  detail: string,
  retryAfterMs = 0,
): void => {
  const status = UPGRADE_STATUS[code];
  const body = JSON.stringify({ status: Number(status.slice(0, 3)), code, detail });
  const retry = retryAfterMs > 0 ? `Retry-After: ${Math.ceil(retryAfterMs / 1_000)}\r\n` : '';
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\n${retry}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
};
