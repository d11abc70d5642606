/**
 * Where a test kills the server: `SCRIPTA_CRASH_AT=<point>[:<nth pass>]`. Without the variable a
 * pass costs one comparison.
 */
const [POINT, NTH = '1'] = (process.env['SCRIPTA_CRASH_AT'] ?? '').split(':');
let left = Number(NTH);

/** After the write and before the sync; after the sync and before the answer. */
export type CrashPoint = 'log.written' | 'log.synced';

/** Dies here by SIGKILL when a test asked for it. */
export const crashPoint = (point: CrashPoint): void => {
  if (POINT !== point) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};
