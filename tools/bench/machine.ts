import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** Ticks of /proc/<pid>/stat in a second (USER_HZ, 100 on every Linux that Node runs on). */
const TICKS_PER_S = 100;

/** CPU seconds a process has used, user and system; 0 when it is gone. */
export const cpuSecondsOf = (pid: number): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // Fields 14 and 15, counted behind the name, which may hold spaces (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
  } catch {
    // It has ended; a run in which a process ended does not count anyway.
    return 0;
  }
};

/** Memory of a process in KiB. */
export const residentKiBOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);

/** CPU seconds that all processes of the machine have used. */
const busySeconds = (): number => {
  const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.split(/\s+/u) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = fields.map(Number);
  return (user + nice + system + irq + softirq) / TICKS_PER_S;
};

/** What was used between two looks. */
export type Usage = Readonly<{
  seconds: number;
  /** CPU seconds of each named process. */
  cpu: Readonly<Record<string, number>>;
  /** CPU seconds of all others on the machine: what was measured was measured beside them. */
  others: number;
  load: number;
}>;

/** Begins to watch processes, by name; the answer ends it. */
export const watch = (pids: Readonly<Record<string, number>>): (() => Usage) => {
  const look = () => ({
    atMs: performance.now(),
    busy: busySeconds(),
    cpu: Object.fromEntries(
      Object.entries(pids).map(([name, pid]) => [name, cpuSecondsOf(pid)] as const),
    ),
  });
  const before = look();
  return () => {
    const after = look();
    const cpu = Object.fromEntries(
      Object.entries(after.cpu).map(([name, used]) => [name, used - (before.cpu[name] ?? 0)]),
    );
    const named = Object.values(cpu).reduce((sum, used) => sum + used, 0);
    return {
      seconds: (after.atMs - before.atMs) / 1_000,
      cpu,
      others: Math.max(0, after.busy - before.busy - named),
      load: loadavg()[0] ?? 0,
    };
  };
};
