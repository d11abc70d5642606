import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** Ticks of /proc/<pid>/stat in a second (USER_HZ, fixed at 100 on Linux). */
const TICKS_PER_S = 100;

/** CPU seconds a process has used, user and system; 0 when it is gone. */
export const cpuSecondsOf = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 14 and 15, counted behind the name, which may hold spaces (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  } catch {
    // It ended: what it used since is not known.
    return 0;
  }
};

/** Memory of a process in KiB. */
export const residentKiBOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);

/** CPU seconds the whole machine has been busy. */
export const busySeconds = (): number => {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/u) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_S;
};

/** What else the machine is doing: the load of the last minute. */
export const loadNow = (): number => Number((loadavg()[0] ?? 0).toFixed(2));

/** The value that a share of the others is not above. */
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const at = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1);
  return Number((sorted[Math.max(0, at)] ?? 0).toFixed(2));
};

/** The middle of some repeats. */
export const median = (values: readonly number[]): number => percentile(values, 0.5);
