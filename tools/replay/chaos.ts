import { setTimeout as sleep } from 'node:timers/promises';
import type { Scripta } from '#client';
import type { Platform } from '../start/platform.js';
import type { PartName } from '../start/programs.js';

/** Pause before the next kill (ms): a part is back within about one second, so lives overlap. */
const KILL_MS = { least: 500, most: 3_000 } as const;
/** Pause before the next cut of a client's connection (ms). */
const CUT_MS = { least: 20, most: 200 } as const;
/** All parts are ready again within this (ms) of the last kill. */
const READY_MS_MAX = 60_000;
const LOOK_MS = 50;

/** What was done to a platform and to its clients. */
export type Harm = { kills: number; cuts: number; killed: Partial<Record<PartName, number>> };

/** Harm that goes on until it is ended; ending it waits until everything runs again. */
export type Chaos = Readonly<{ end: () => Promise<Harm> }>;

/** Numbers from 0 to below 1, the same for the same seed: Mulberry32 (Tommy Ettinger, 2017). */
export const chanceOf = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

const areReady = ({ parts }: Platform): boolean =>
  [...parts.values()].every(({ isReady }) => isReady);

const whenReady = async (platform: Platform): Promise<void> => {
  const endMs = performance.now() + READY_MS_MAX;
  while (!areReady(platform)) {
    if (performance.now() > endMs) throw new Error('The platform did not recover from the chaos.');
    await sleep(LOOK_MS);
  }
};

/** Calls after each pause of a random length, until the signal. */
const again = async (
  { least, most }: Readonly<{ least: number; most: number }>,
  chance: () => number,
  signal: AbortSignal,
  call: () => void,
): Promise<void> => {
  while (!signal.aborted) {
    // An aborted pause ends early.
    await sleep(least + chance() * (most - least), undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) call();
  }
};

/** Kills parts with SIGKILL and cuts connections of clients, at moments that the seed gives. */
export const beginChaos = (
  platform: Platform,
  clients: readonly Scripta[],
  seed: number,
): Chaos => {
  const over = new AbortController();
  const harm: Harm = { kills: 0, cuts: 0, killed: {} };
  const [when, whom] = [chanceOf(seed), chanceOf(seed + 1)];
  const kill = (): void => {
    const parts = [...platform.parts];
    const [name, part] = parts[Math.floor(whom() * parts.length)] ?? [];
    if (name === undefined || part?.isReady !== true) return;
    platform.kill(name, 'SIGKILL');
    harm.kills += 1;
    harm.killed[name] = (harm.killed[name] ?? 0) + 1;
  };
  const [pauses, choices] = [chanceOf(seed + 2), chanceOf(seed + 3)];
  const cut = (): void => {
    const client = clients[Math.floor(choices() * clients.length)];
    if (client?.state !== 'live' && client?.state !== 'resuming') return;
    client.interrupt();
    harm.cuts += 1;
  };
  const going = Promise.all([
    again(KILL_MS, when, over.signal, kill),
    again(CUT_MS, pauses, over.signal, cut),
  ]);
  return {
    end: async () => {
      over.abort();
      await going;
      await whenReady(platform);
      return harm;
    },
  };
};
