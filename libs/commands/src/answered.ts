import { LogUnavailable, type Timer } from '#platform';

/** A log that has not answered a read by then is taken to be away: it answers in milliseconds. */
export const READ_MS_MAX = 3_000;

/** What a read of the log gives, or `LogUnavailable` when it gives nothing in time (fault T11). */
export const answered = <T>(timer: Timer, reading: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const cancel = timer.after(READ_MS_MAX, () =>
      reject(new LogUnavailable(`The log did not answer a read within ${READ_MS_MAX} ms.`)),
    );
    reading.then(resolve, reject).finally(cancel);
  });
