import type { Timer } from './clock.js';
import { LogUnavailable } from './event-store.js';
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

/** Makes a call again and again until the log or the read models can be reached. */
export const waitOut = async <T>(
  { timer, log, isStopped }: OutagePorts,
  call: () => Promise<T>,
): Promise<T> => {
  for (let wait = AGAIN_MS; ; wait = Math.min(2 * wait, AGAIN_MS_MAX)) {
    try {
      return await call();
    } catch (error) {
      const isOutage = error instanceof ViewsUnavailable || error instanceof LogUnavailable;
      if (!isOutage || isStopped()) throw error;
      log(`${error.message} Again in ${wait} ms.`);
      await timer.sleep(wait);
    }
  }
};
