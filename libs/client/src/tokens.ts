import { ScriptaError } from './errors.js';
import type { Session, TokenPair } from './protocol.js';
import { pauseMs, sleep, type Cancel, type Runtime } from './runtime.js';
import type { ScriptaStorage } from './storage.js';

/** Under this key the storage keeps who this device is. */
const SESSION_KEY = 'session';
/** A token is changed when this part of its life is left, or this much of it (ms). */
const LEFT_PART = 0.2;
const LEFT_MS_MAX = 60_000;
/** Pause before a change that failed is tried again (ms). */
const AGAIN_MS = 5_000;

/** What the tokens stand on. */
export type TokensPort = Readonly<{
  runtime: Runtime;
  storage: ScriptaStorage;
  /** Takes a refresh token for the next pair. */
  refresh: (refreshToken: string, deviceId: string) => Promise<TokenPair>;
  /** There is a new access token. */
  renewed: (token: string) => void;
}>;

/** Who this device speaks for, and its tokens: changed before they end, without the app's help. */
export class DeviceTokens {
  #session: Session | undefined;
  #changing: Promise<boolean> | undefined;
  #cancel: Cancel | undefined;
  #isWatching = false;

  constructor(private readonly port: TokensPort) {}

  get session(): Session | undefined {
    return this.#session;
  }

  /** Takes over what the storage has kept, unless there is a session already. */
  restore(kept: ReadonlyMap<string, unknown>): void {
    // Written by `set` only.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    this.#session ??= kept.get(SESSION_KEY) as Session | undefined;
  }

  /** Takes a session; nothing: it is over. */
  set(session: Session | undefined, isKept = true): void {
    this.#session = session;
    if (isKept) this.port.storage.put(SESSION_KEY, session);
    this.#plan();
  }

  /** From here on tokens are changed ahead of their end. */
  watch(): void {
    this.#isWatching = true;
    this.#plan();
  }

  /** No longer. */
  rest(): void {
    this.#isWatching = false;
    this.#cancel?.();
  }

  /** Changes the tokens now. Gives whether there is a new one; one change at a time. */
  change(): Promise<boolean> {
    this.#changing ??= this.#change().finally(() => {
      this.#changing = undefined;
    });
    return this.#changing;
  }

  /** Changes them however long the server is away, while that is wanted. */
  async changePatiently(isWanted: () => boolean): Promise<boolean> {
    const { runtime } = this.port;
    for (let attempt = 0; isWanted(); attempt += 1) {
      try {
        return await this.change();
      } catch {
        // The server is away: so is what would let this device in.
        await sleep(runtime, pauseMs(runtime, attempt));
      }
    }
    return false;
  }

  async #change(): Promise<boolean> {
    const before = this.#session;
    if (before?.refreshToken === undefined) return false;
    try {
      const pair = await this.port.refresh(before.refreshToken, before.deviceId);
      const { accessToken: token, expiresAt, refreshToken } = pair;
      this.set({ ...before, token, expiresAt, refreshToken });
      this.port.renewed(token);
      return true;
    } catch (error) {
      if (error instanceof ScriptaError && !error.retryable) {
        const { refreshToken: _over, ...rest } = before;
        this.set(rest);
        return false;
      }
      throw error;
    }
  }

  #plan(): void {
    this.#cancel?.();
    const { expiresAt, refreshToken } = this.#session ?? {};
    if (!this.#isWatching || expiresAt === undefined || refreshToken === undefined) return;
    const leftMs = Date.parse(expiresAt) - this.port.runtime.now();
    const aheadMs = Math.min(LEFT_MS_MAX, leftMs * LEFT_PART);
    this.#after(Math.max(0, leftMs - aheadMs));
  }

  #after(ms: number): void {
    this.#cancel = this.port.runtime.after(ms, () => {
      this.change().catch(() => this.#after(AGAIN_MS));
    });
  }
}
