import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  reject,
  revocations,
  type OwnEvent,
  type Recorded,
  type RevocationView,
  type UserEvent,
} from '#domain';
import {
  AccessTokens,
  QUERIES,
  SubscriptionRunner,
  UnreadableEvent,
  type AccessClaims,
  type LogEvent,
  type Run,
} from '#platform';
import { PORTS, type Ports } from './ports.js';
import { Streams } from './streams.js';

/** What an access token may outlive its end by, wherever it is looked at (ms): clocks differ. */
const SKEW_MS = 120_000;
/** Pause before the read models are asked again at the start (ms). */
const PAUSE_MS = 500;
/** How long a start waits for them before it goes on without (ms); until then nobody is let in. */
const START_MS_MAX = 2_000;

/** How long an answer waits for this process to hear of what it says, looking so often (ms). */
const REACHED_MS_MAX = 1_000;
const LOOK_MS = 5;

/** Hears of what happens to people's accounts. */
export type AccountListener = (event: Recorded<UserEvent>) => void;
/** Hears of what people do for themselves. */
export type OwnListener = (event: Recorded<OwnEvent>) => void;

type Heard = Recorded<UserEvent> | Recorded<OwnEvent>;

const isOwn = (event: Heard): event is Recorded<OwnEvent> => event.stream.startsWith('own-');

/**
 * Follows what happens to people's accounts, so that an ended session is refused at once although
 * its access token is still good: a process knows the ends of the last token's lifetime, from the
 * read models at its start, from the log after. While it does not know them yet, it lets nobody in.
 */
@Injectable()
export class AccountNews {
  readonly #logger = new Logger(AccountNews.name);
  readonly #windowMs: number;
  readonly #listeners = new Set<AccountListener>();
  readonly #ownListeners = new Set<OwnListener>();
  /** When each session ended, in the order of hearing of it. */
  readonly #ended = new Map<string, number>();
  #heardPosition = -1;
  #isKnowing = false;
  #isStopped = false;
  #run: Run | undefined;

  constructor(
    @Inject(PORTS) private readonly ports: Ports,
    private readonly tokens: AccessTokens,
    private readonly streams: Streams,
  ) {
    this.#windowMs = ports.config.ACCESS_TOKEN_TTL_S * 1_000 + SKEW_MS;
  }

  /** Nest calls it before the doors open. */
  async onApplicationBootstrap(): Promise<void> {
    const begun = this.#begin();
    await Promise.race([begun, this.ports.timer.sleep(START_MS_MAX)]);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#isStopped = true;
    await this.#run?.stop();
  }

  /** Calls back for each event of a person from now on, in order. Gives the way to stop. */
  on(listener: AccountListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls back for each event of what people keep for themselves from now on, in order. */
  onOwn(listener: OwnListener): () => void {
    this.#ownListeners.add(listener);
    return () => this.#ownListeners.delete(listener);
  }

  /** Who an access token speaks for. Throws `unauthorized`, also where the session has ended. */
  async verify(token: string): Promise<AccessClaims> {
    const claims = await this.tokens.verify(token);
    if (!this.#isKnowing)
      reject('unavailable', 'This process does not know yet which sessions have ended; try again.');
    if (this.#ended.has(claims.sessionId))
      reject('unauthorized', 'The session has ended; log in again.');
    return claims;
  }

  /** Resolves once everything up to a place of the log was heard, or after a second without it. */
  async reached(position: number): Promise<void> {
    const { clock, timer } = this.ports;
    const endMs = clock.monotonic() + REACHED_MS_MAX;
    while (this.#heardPosition < position && clock.monotonic() < endMs) await timer.sleep(LOOK_MS);
  }

  /** This process ended a session itself: it need not wait for the log to say so. */
  ended(sessionId: string): void {
    const nowMs = this.ports.clock.now();
    this.#ended.set(sessionId, nowMs);
    for (const [oldest, atMs] of this.#ended) {
      if (nowMs - atMs < this.#windowMs) break;
      this.#ended.delete(oldest);
    }
  }

  async #begin(): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#know();
        return;
      } catch (error) {
        this.#logger.warn(`Which sessions have ended is not known yet: ${String(error)}`);
        await this.ports.timer.sleep(PAUSE_MS);
      }
    }
  }

  async #know(): Promise<void> {
    const { views, clock } = this.ports;
    const position = await views.checkpoint(revocations.name);
    const since = new Date(clock.now() - this.#windowMs).toISOString();
    const { view, ...query } = QUERIES.revokedSince(since);
    for (const { _id } of await views.find<RevocationView>(view, query)) this.ended(_id);
    const log = (message: string) => this.#logger.warn(message);
    this.#run = await new SubscriptionRunner({ ...this.ports, log }).run({
      prefixes: ['user-', 'own-'],
      from: position < 0 ? undefined : position,
      consumer: { batch: (events) => this.#hear(events) },
    });
    this.#isKnowing = true;
  }

  async #hear(events: readonly LogEvent[]): Promise<void> {
    for (const logged of events) {
      // These streams hold what people do to their accounts and keep for themselves.
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion
      const event = (await this.#read(logged)) as Heard | undefined;
      if (event && isOwn(event)) for (const listener of this.#ownListeners) listener(event);
      else if (event) await this.#tell(event);
      this.#heardPosition = logged.position;
    }
  }

  async #tell(event: Recorded<UserEvent>): Promise<void> {
    if (event.type === 'SessionRevoked') this.ended(event.data.sessionId);
    if (event.type === 'PersonErased') await this.#forget(event.data.userId);
    for (const listener of this.#listeners) listener(event);
  }

  /** Whoever is erased is known here no more, whichever process erased them. */
  async #forget(userId: string): Promise<void> {
    await this.ports.keys.destroy(userId);
    this.streams.forget(`user-${userId}`);
    this.streams.forget(`own-${userId}`);
    // What they held is free, and another process has said so.
    this.streams.forget('claim-');
  }

  async #read(event: LogEvent) {
    try {
      return await this.ports.codec.decode(event, true);
    } catch (error) {
      if (!(error instanceof UnreadableEvent)) throw error;
      this.#logger.error(`An event of ${event.stream} cannot be read: ${error.message}`);
      return undefined;
    }
  }
}
