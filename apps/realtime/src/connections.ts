import {
  Injectable,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { Rejection, type RejectionCode } from '#domain';
import { Clock, tally, Timer, type AccessClaims, type Cancel } from '#platform';
import type { Emission } from './frames.js';
import type { Line } from './line.js';
import { Reader, type Told } from './reader.js';
import { Rooms } from './rooms.js';
import { Spans } from './spans.js';

/** Devices one person may have connected at once (abuse 39). */
export const SOCKETS_PER_USER_MAX = 10;
/** A socket outlives its token by this, so that a refresh under way is not cut off (abuse 41). */
const EXPIRY_GRACE_MS = 30_000;
/** A socket that fell behind and does not resume for this long is closed (finding R7). */
const BEHIND_MS_MAX = 30_000;

/** Devices that are gone of which it is remembered what they owe: 5 MiB at most. */
const LEFT_DEVICES_MAX = 2_000;

/** How often tokens and readers that fell behind are looked at. */
const SWEEP_MS = 1_000;

/** A connected device: its socket, whom it speaks for and what it reads. */
export class Connection {
  readonly reader: Reader;
  sessionId: string;
  expiresAtMs: number;
  /** When it fell behind, by the monotonic clock. */
  behindSinceMs: number | undefined;
  /** Why it was closed from here. */
  closing: string | undefined;
  /** Why its session ended, if it did. */
  #ending: string | undefined;
  /** Events that wait for their answer. */
  #asked = 0;

  constructor(
    readonly socket: Line,
    claims: AccessClaims,
    private readonly clock: Clock,
  ) {
    const { conn } = socket;
    this.sessionId = claims.sessionId;
    this.expiresAtMs = claims.expiresAtMs;
    this.reader = new Reader(claims.userId, claims.deviceId, {
      write: ({ packet, options }: Emission) => {
        // The engine writes the finished frame and leaves the text alone.
        conn.write(packet, options);
      },
      behind: () => {
        this.behindSinceMs = this.clock.monotonic();
        tally('undelivered', 'behind', 'socket');
        socket.emit('behind', { v: 1 });
      },
    });
  }

  get id(): string {
    return this.socket.id;
  }

  /** Greets: from here on the socket may ask. */
  welcome(capabilities: readonly string[]): void {
    const { userId, deviceId } = this.reader;
    const serverTime = this.clock.iso();
    this.socket.emit('welcome', { v: 1, userId, deviceId, protocol: 1, capabilities, serverTime });
  }

  /** It has asked for a page: it is on its way back, or back. */
  resumed(isLive: boolean): void {
    if (isLive) this.behindSinceMs = undefined;
    else if (this.behindSinceMs !== undefined) this.behindSinceMs = this.clock.monotonic();
  }

  /** Whether its session ended: it may ask nothing more. */
  get isEnded(): boolean {
    return this.#ending !== undefined;
  }

  /**
   * Its session ended: from here on it hears and asks nothing. It is closed once what it asked
   * before is answered, which may be the command that ended the session, or at the next sweep.
   */
  end(message: string): void {
    this.#ending = message;
    this.reader.leave();
    this.#closeEnded();
  }

  /** An event came in. Gives what to call once it is answered. */
  asked(): () => void {
    this.#asked += 1;
    return () => {
      this.#asked -= 1;
      this.#closeEnded();
    };
  }

  #closeEnded(): void {
    if (this.#ending !== undefined && this.#asked === 0) this.close('unauthorized', this.#ending);
  }

  /** Says why, and closes. */
  close(code: RejectionCode | 'replaced', message: string): void {
    tally('undelivered', code, 'socket closed');
    this.closing ??= code;
    this.socket.emit('error', { code, message });
    this.socket.disconnect(true);
  }
}

/** All connected devices of this process, each once. */
@Injectable()
export class Connections implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #byDevice = new Map<string, Connection>();
  /** What devices were told that went before they acknowledged it. */
  readonly #left = new Map<string, readonly Told[]>();
  #stopSweeping: Cancel | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly timer: Timer,
    private readonly rooms: Rooms,
    private readonly spans: Spans,
  ) {}

  onApplicationBootstrap(): void {
    this.#stopSweeping = this.timer.every(SWEEP_MS, () => this.sweep());
  }

  beforeApplicationShutdown(): void {
    this.#stopSweeping?.();
  }

  get size(): number {
    return this.#byDevice.size;
  }

  /** Throws `rate_limited` where this person has all the sockets they may have. */
  mustHavePlace({ userId, deviceId, expiresAtMs }: AccessClaims): void {
    if (this.#isOver(expiresAtMs))
      throw new Rejection('unauthorized', 'The access token has expired; log in again.');
    if (this.#byDevice.has(keyOf(userId, deviceId))) return;
    if (this.rooms.readersOf(userId).size >= SOCKETS_PER_USER_MAX)
      throw new Rejection('rate_limited', `At most ${SOCKETS_PER_USER_MAX} devices at once.`);
  }

  /** The connected devices of a person. */
  of(userId: string): readonly Connection[] {
    return [...this.rooms.readersOf(userId)].flatMap(
      ({ deviceId }) => this.#byDevice.get(keyOf(userId, deviceId)) ?? [],
    );
  }

  /** Takes a socket in. The same device twice: the newer wins. */
  open(socket: Line, claims: AccessClaims): Connection {
    const key = keyOf(claims.userId, claims.deviceId);
    const older = this.#byDevice.get(key);
    if (older) {
      this.closed(older, 'replaced');
      older.close('replaced', 'This device has connected anew.');
    }
    const connection = new Connection(socket, claims, this.clock);
    this.#byDevice.set(key, connection);
    connection.reader.inherit(this.#left.get(key) ?? []);
    this.#left.delete(key);
    this.rooms.add(connection.reader);
    this.spans.opened(connection);
    return connection;
  }

  /** A socket is gone; `reason` is the transport's, where nobody here has closed it. */
  closed(connection: Connection, reason = 'gone'): void {
    this.spans.closed(connection, connection.closing ?? reason);
    // What was told last may not have arrived; the device asks again when it is back.
    if (connection.closing === undefined && connection.reader.unacknowledged.length > 0)
      tally('undelivered', reason, 'socket lost');
    const { userId, deviceId } = connection.reader;
    this.rooms.remove(connection.reader);
    const key = keyOf(userId, deviceId);
    if (this.#byDevice.get(key) !== connection) return;
    this.#byDevice.delete(key);
    this.#leave(key, connection.reader.unacknowledged);
  }

  /** The acknowledgement may have been lost on its way; the device's next cursor makes up for it. */
  #leave(key: string, told: readonly Told[]): void {
    if (told.length === 0) return;
    this.#left.set(key, told);
    const [oldest] = this.#left.keys();
    if (this.#left.size > LEFT_DEVICES_MAX && oldest !== undefined) this.#left.delete(oldest);
  }

  /** Closes those whose token is over and those who fell behind and stay there. */
  sweep(): void {
    const nowMs = this.clock.monotonic();
    for (const connection of this.#byDevice.values()) {
      const { expiresAtMs, behindSinceMs } = connection;
      if (this.#isOver(expiresAtMs))
        connection.close('unauthorized', 'The access token has expired; log in again.');
      else if (connection.isEnded)
        connection.close('unauthorized', 'The session has ended; log in again.');
      else if (behindSinceMs !== undefined && nowMs - behindSinceMs > BEHIND_MS_MAX)
        connection.close('behind', 'This socket fell behind and did not resume.');
    }
  }

  #isOver(expiresAtMs: number): boolean {
    return this.clock.now() > expiresAtMs + EXPIRY_GRACE_MS;
  }
}

const keyOf = (userId: string, deviceId: string): string => `${userId}:${deviceId}`;
