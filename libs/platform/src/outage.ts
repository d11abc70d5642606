import type { Timer } from './clock.js';
import { LogUnavailable } from './event-store.js';
import { KeysUnavailable } from './keys.js';
import { tally } from './tallies.js';
import { ViewsUnavailable } from './view-writer.js';

/** Wait between attempts (ms), doubled up to the longest. */
const AGAIN_MS = 50;
const AGAIN_MS_MAX = 2_000;

/** What waiting for a database stands on; `log` hears of each attempt that failed. */
export type OutagePorts = Readonly<{
  timer: Timer;
  log: (message: string) => void;
  /** Gives up: the outage is then the caller's. */
  isStopped: () => boolean;
}>;

/** Whether an error only says that a store is away: it passes, and says nothing of any event. */
export const isOutage = (error: unknown): error is Error =>
  error instanceof ViewsUnavailable ||
  error instanceof LogUnavailable ||
  error instanceof KeysUnavailable;

/** Makes a call again and again until the log, the read models and the keys can be reached. */
export const waitOut = async <T>(
  { timer, log, isStopped }: OutagePorts,
  call: () => Promise<T>,
): Promise<T> => {
  for (let wait = AGAIN_MS; ; wait = Math.min(2 * wait, AGAIN_MS_MAX)) {
    try {
      return await call();
    } catch (error) {
      if (!isOutage(error) || isStopped()) throw error;
      tally('retried', error.name, 'outage');
      log(`${error.message} Again in ${wait} ms.`);
      await timer.sleep(wait);
    }
  }
};
