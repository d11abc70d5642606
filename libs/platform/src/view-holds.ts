import type { Clock, Timer } from './clock.js';
import type { Beat, ViewCheckpoint, ViewSwitch, ViewWriter } from './view-writer.js';

/** A holder that gives no sign of life for so long (ms) has died, and what it holds is let go. */
const HOLD_SILENCE_MS = 15_000;
/** A projector that gives no sign of life for so long (ms) has died, and is not waited for. */
const PROJECTOR_SILENCE_MS = 3_000;
/** How often either looks for the other (ms). */
const LOOK_MS = 50;

/** What waiting stands on. */
export type HoldPorts = Readonly<{
  writer: ViewWriter;
  views: ViewSwitch;
  clock: Clock;
  timer: Timer;
}>;

/** Who holds which views. */
export const holdersOf = (
  checkpoints: ReadonlyMap<string, ViewCheckpoint>,
): ReadonlyMap<string, number> =>
  new Map([...checkpoints.values()].flatMap(({ hold }) => (hold ? [[hold.by, hold.beat]] : [])));

/** Others as they were last heard of: a count that grows is a life. */
class Heard {
  readonly #last = new Map<string, Readonly<{ beat: number; at: number }>>();

  /** How long this one has been silent (ms). */
  silence(id: string, beat: number, now: number): number {
    const last = this.#last.get(id);
    if (last?.beat === beat) return now - last.at;
    this.#last.set(id, { beat, at: now });
    return 0;
  }
}

/**
 * Resolves when nobody holds a view. Clocks are not compared: a holder whose count stands still for
 * long has died, and its hold is broken.
 */
export const untilReleased = async (
  { writer, views, clock, timer }: HoldPorts,
  isStopped: () => boolean,
): Promise<void> => {
  const heard = new Heard();
  while (!isStopped()) {
    const checkpoints = await writer.checkpoints();
    const holders = holdersOf(checkpoints);
    if (holders.size === 0) return;
    const now = clock.monotonic();
    for (const [by, beat] of holders)
      if (heard.silence(by, beat, now) > HOLD_SILENCE_MS)
        await views.release([...checkpoints.keys()], by);
    await timer.sleep(LOOK_MS);
  }
};

/**
 * Resolves when every projector that lives is as asked, by the beat it gives; one that has died is
 * forgotten.
 */
const untilAll = async (
  { views, clock, timer }: HoldPorts,
  isSo: (beat: Beat, first: Beat) => boolean,
): Promise<void> => {
  const heard = new Heard();
  const first = new Map<string, Beat>();
  for (;;) {
    const now = clock.monotonic();
    let waitsFor = 0;
    for (const beat of await views.beats()) {
      if (!first.has(beat.id)) first.set(beat.id, beat);
      if (isSo(beat, first.get(beat.id) ?? beat)) continue;
      if (heard.silence(beat.id, beat.beat, now) > PROJECTOR_SILENCE_MS) await views.leave(beat.id);
      else waitsFor += 1;
    }
    if (waitsFor === 0) return;
    await timer.sleep(LOOK_MS);
  }
};

/**
 * Runs something while nobody else writes the views: holds them, waits until every projector that
 * lives has stopped, and says all the while that the holder lives. Throws `ViewsHeld` when another
 * holds one.
 */
export const whileHeld = async <T>(
  ports: HoldPorts,
  names: readonly string[],
  by: string,
  work: () => Promise<T>,
): Promise<T> => {
  const { views, timer } = ports;
  // The dead are told apart before anybody has to stand still.
  await untilAll(ports, ({ beat }, first) => beat !== first.beat);
  await views.hold(names, by);
  const stop = timer.every(HOLD_SILENCE_MS / 5, () => {
    // A hold that was broken is found out by the next call that needs it.
    views.renew(names, by).catch(() => undefined);
  });
  try {
    await untilAll(ports, ({ holds }) => holds.includes(by));
    return await work();
  } finally {
    stop();
    await views.release(names, by);
  }
};
