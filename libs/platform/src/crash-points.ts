/**
 * Named places where a test kills the process: `SCRIPTA_CRASH_AT=<point>[:<nth pass>]`. Without the
 * variable a pass costs one comparison.
 */
const [POINT, NTH = '1'] = (process.env['SCRIPTA_CRASH_AT'] ?? '').split(':');
let left = Number(NTH);

/** The places, so that a misspelt one does not compile. */
export type CrashPoint =
  | 'command.validated'
  | 'command.append-sent'
  | 'command.appended'
  | 'command.before-ack'
  | 'projector.documents-written'
  | 'projector.checkpoint-written'
  | 'export.stream'
  | 'erase.ordered'
  | 'erase.key-destroyed'
  | 'erase.views-done'
  | 'erase.compacted'
  | 'schedule.released'
  | 'schedule.sent'
  | 'realtime.mid-emit'
  | 'realtime.mid-page'
  | 'realtime.page-before-live';

let passing: ((point: CrashPoint) => void) | undefined;

/** In a simulation, where many nodes share a process: hears of each pass; nothing ends it. */
export const onCrashPoint = (hear?: (point: CrashPoint) => void): void => {
  passing = hear;
};

/** Dies here by SIGKILL when a test asked for it. */
export const crashPoint = (point: CrashPoint): void => {
  if (passing) passing(point);
  if (POINT !== point) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
};
