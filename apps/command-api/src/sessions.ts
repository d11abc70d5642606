import { Inject, Injectable } from '@nestjs/common';
import { AccountNews, People, PORTS, type Ports } from '#commands';
import { EndSession, reject, Rejection, type SessionEnd } from '#domain';
import { AccessTokens, eventIdOf, RefreshTokens, uuidOf, type Who } from '#platform';

/** Where `operations` holds sessions; losing them has everybody log in again. */
const COLLECTION = 'sessions';
/** How long after a refresh the device may ask again, because the answer was lost (V19). */
const GRACE_MS = 10_000;

/** A session as it is kept: no token can be read from it. */
type Kept = Readonly<{
  userId: string;
  deviceId: string;
  /** The refresh token that is good now. */
  turn: number;
  turnedAtMs: number;
}>;

/** A person's session on a device. */
export type SessionOf = Who & Readonly<{ sessionId: string }>;

/** The two tokens of a session. */
export type TokenPair = Readonly<{ accessToken: string; expiresAt: string; refreshToken: string }>;

const over = (): never =>
  reject(
    'unauthorized',
    'The refresh token is not valid here or its session is over; log in again.',
  );

/** Sessions: their refresh tokens, each good once, and their ends. */
@Injectable()
export class Sessions {
  readonly #refreshTokens: RefreshTokens;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly tokens: AccessTokens,
    private readonly people: People,
    private readonly news: AccountNews,
  ) {
    this.#refreshTokens = new RefreshTokens(ports.keys);
  }

  /** Nest calls it before the door opens. */
  onModuleInit(): void {
    this.news.on(({ type, data }) => {
      // What is left over, because the store was away, is refused by the log all the same.
      if (type === 'SessionRevoked')
        void this.ports.operations.take(COLLECTION, data.sessionId).catch(() => undefined);
    });
  }

  /** Makes ready what the session's tokens need, before the log says that it began. */
  async prepare({ sessionId, userId, deviceId }: SessionOf): Promise<void> {
    const kept: Kept = { userId, deviceId, turn: 1, turnedAtMs: this.ports.clock.now() };
    await this.ports.operations.put(COLLECTION, sessionId, kept);
  }

  /** The first tokens of a session. */
  first(session: SessionOf): Promise<TokenPair> {
    return this.#pair(session, 1);
  }

  /**
   * The next tokens. A refresh token is good once; used again later, it was stolen or is shared, and
   * the session ends. For 10 s its own device may ask again and gets the same answer.
   */
  async refresh(token: string, device: string): Promise<TokenPair> {
    const { operations, clock } = this.ports;
    const { sessionId, turn } = this.#refreshTokens.read(token) ?? over();
    const kept = (await operations.get<Kept>(COLLECTION, sessionId)) ?? over();
    const session: SessionOf = { sessionId, userId: kept.userId, deviceId: kept.deviceId };
    if (device !== kept.deviceId) return over();
    await this.#mustStand(session, kept);
    const next = { turn: turn + 1, turnedAtMs: clock.now() };
    if (await operations.change<Kept>(COLLECTION, sessionId, { turn }, next))
      return this.#pair(session, next.turn);
    const now = (await operations.get<Kept>(COLLECTION, sessionId)) ?? over();
    if (now.turn === next.turn && clock.now() - now.turnedAtMs <= GRACE_MS)
      return this.#pair(session, next.turn);
    await this.end(session, 'token_reused');
    return over();
  }

  /** Ends a session; one that has ended stays so. */
  async end({ userId, sessionId, deviceId }: SessionOf, reason: SessionEnd): Promise<string> {
    const commandId = uuidOf(`session-end:${sessionId}`);
    const meta = {
      commandId,
      eventId: eventIdOf(`user-${userId}`, deviceId, commandId),
      actor: userId,
      device: deviceId,
      at: this.ports.clock.iso(),
      correlationId: commandId,
    };
    try {
      const command = new EndSession({ userId, sessionId, reason }, meta);
      const { position } = await this.people.run(command);
      return position;
    } catch (error) {
      if (error instanceof Rejection && error.code === 'not_found') return '0';
      throw error;
    } finally {
      this.news.ended(sessionId);
      await this.ports.operations.take(COLLECTION, sessionId);
    }
  }

  /** When a session was last refreshed. */
  async seenAt(sessionId: string): Promise<string | undefined> {
    const kept = await this.ports.operations.get<Kept>(COLLECTION, sessionId);
    return kept ? new Date(kept.turnedAtMs).toISOString() : undefined;
  }

  /** The log has the last word: a session that it does not know is over. */
  async #mustStand({ userId, deviceId, sessionId }: SessionOf, kept: Kept): Promise<void> {
    const { state } = await this.people.latest(userId);
    const isStanding = state.devices.get(deviceId) === sessionId;
    const ageMs = this.ports.clock.now() - kept.turnedAtMs;
    if (isStanding && ageMs <= this.ports.config.REFRESH_TOKEN_TTL_S * 1_000) return;
    await this.ports.operations.take(COLLECTION, sessionId);
    over();
  }

  async #pair(session: SessionOf, turn: number): Promise<TokenPair> {
    const { token, expiresAtMs } = await this.tokens.issue(session);
    return {
      accessToken: token,
      expiresAt: new Date(expiresAtMs).toISOString(),
      refreshToken: this.#refreshTokens.issue({ sessionId: session.sessionId, turn }),
    };
  }
}
