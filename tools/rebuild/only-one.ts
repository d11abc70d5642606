import { NEXT, ViewsHeld, type AnyProjection } from '#platform';
import type { RebuildPorts } from './following.js';

/** How often a rebuild says that it lives (ms). */
const BEAT_MS = 1_000;
/** One that has not said so for as long (ms) was killed, and leaves its place to the next. */
const SILENCE_MS = 5_000;
/** How often the other is looked at meanwhile (ms). */
const LOOK_MS = 250;

const inUse = (names: readonly string[]): ViewsHeld =>
  new ViewsHeld(
    `Another rebuild builds ${names.join(', ')} just now. Wait for it, or end it: this one did nothing.`,
  );

/** Resolves once nobody builds these views; throws `ViewsHeld` where somebody does who lives. */
const untilFree = async (
  { views, clock, timer }: RebuildPorts,
  names: readonly string[],
): Promise<void> => {
  const beats = new Map<string, number>();
  const endsMs = clock.monotonic() + SILENCE_MS;
  for (;;) {
    const held = [...(await views.next().checkpoints())].flatMap(([name, { hold }]) =>
      hold && names.includes(name) ? [{ name, ...hold }] : [],
    );
    if (held.length === 0) return;
    const isLiving = held.some(({ by, beat }) => (beats.get(by) ?? beat) !== beat);
    if (isLiving) throw inUse(held.map(({ name }) => name));
    for (const { by, beat } of held) beats.set(by, beat);
    if (clock.monotonic() > endsMs)
      for (const { name, by } of held) await views.release([name + NEXT], by);
    await timer.sleep(LOOK_MS);
  }
};

/**
 * Empties `<view>.next` and builds there alone: another rebuild of one of the views is refused, and
 * one that was killed is taken over from. `stillOurs` throws where the place was lost meanwhile.
 */
export const buildingAlone = async <T>(
  ports: RebuildPorts,
  projections: readonly AnyProjection[],
  build: (stillOurs: () => Promise<void>) => Promise<T>,
): Promise<T> => {
  const { views, random, timer } = ports;
  const names = projections.map(({ name }) => name);
  await untilFree(ports, names);
  const by = random.uuid();
  const next = names.map((name) => name + NEXT);
  for (const projection of projections) {
    await views.clear(projection.name);
    await views.next().prepare(projection);
  }
  await views.hold(next, by).catch((cause: unknown) => {
    throw cause instanceof ViewsHeld ? inUse(names) : cause;
  });
  const stop = timer.every(BEAT_MS, () => {
    // A place that was lost is found out before anything is swapped.
    views.renew(next, by).catch(() => undefined);
  });
  try {
    return await build(() => views.renew(next, by));
  } finally {
    stop();
    await views.release(next, by);
  }
};
