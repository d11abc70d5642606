import {
  erasuresIn,
  SubscriptionRunner,
  whileHeld,
  type Clock,
  type Codec,
  type EventStore,
  type Random,
  type ReadModelRunner,
  type Timer,
  type ViewCheckpoint,
  type ViewSwitch,
  type ViewWriter,
} from '#platform';

/** Events folded at once: four live batches, since nobody waits for a single one here. */
export const REBUILD_BATCH_EVENTS = 2_000;
/** A pass this short (ms) leaves so little that the rest can be done while views are held. */
const SHORT_PASS_MS = 1_000;

/** What a rebuild stands on; `writer` is that of the live views. */
export type RebuildPorts = Readonly<{
  store: EventStore;
  codec: Codec;
  writer: ViewWriter;
  views: ViewSwitch;
  clock: Clock;
  random: Random;
  timer: Timer;
  log: (message: string) => void;
}>;

/** Somebody was erased while this folded: what it has may hold their words. Nothing was put in place. */
export class ErasedMeanwhile extends Error {
  override readonly name = 'ErasedMeanwhile';
}

/** Told after each batch: events so far, and the positions that have been and are to be reached. */
export type OnProgress = (events: number, position: number, upTo: number) => void;

/** Folds the log up to and with a position, from where the runner stands. */
const follow = async (
  ports: RebuildPorts,
  runner: ReadModelRunner,
  upTo: number,
  onProgress: OnProgress,
): Promise<void> => {
  if (runner.position >= upTo) return;
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let isDone = false;
  const finish = () => {
    isDone = true;
    resolve();
  };
  const run = await new SubscriptionRunner(ports).run({
    prefixes: runner.prefixes,
    from: runner.position < 0 ? undefined : runner.position,
    batchMax: REBUILD_BATCH_EVENTS,
    consumer: {
      batch: async (events, scannedTo) => {
        if (isDone) return;
        const own = events.filter(({ position }) => position <= upTo);
        await runner.apply(own, Math.min(scannedTo, upTo));
        onProgress(runner.events, runner.position, upTo);
        if (scannedTo >= upTo) finish();
      },
      caughtUp: finish,
    },
  });
  await Promise.race([done, run.finished]);
  await run.stop();
  await runner.settled();
  onProgress(runner.events, runner.position, upTo);
};

/**
 * Where the live views are to be met: at their own place, or at the log's end where that is lost.
 */
const meetingPoint = async (
  { store, writer }: RebuildPorts,
  names: readonly string[],
  prefixes: readonly string[],
): Promise<number> => {
  const checkpoints = await writer.checkpoints();
  const found = names.map((name) => checkpoints.get(name));
  const newest = found.reduce<ViewCheckpoint | undefined>(
    (one, other) => (!one || (other && other.scanned > one.scanned) ? other : one),
    undefined,
  );
  if (newest && newest.position >= 0) {
    const event = await store.at(newest.position);
    if (event?.id === newest.eventId) return newest.scanned;
  }
  const head = await store.head(prefixes);
  return head?.position ?? -1;
};

/**
 * Brings a runner to the very place of the live views, in passes while these go on, and the last
 * one while they are held. Then does `work`, still held, with the place they meet at.
 */
export const meetLive = async <T>(
  ports: RebuildPorts,
  runner: ReadModelRunner,
  names: readonly string[],
  { onProgress, work }: Readonly<{ onProgress: OnProgress; work: (at: number) => Promise<T> }>,
): Promise<T> => {
  const { clock, random, store } = ports;
  const erased = (await erasuresIn(store)).length;
  const pass = async (): Promise<number> => {
    const upTo = await meetingPoint(ports, names, runner.prefixes);
    await follow(ports, runner, upTo, onProgress);
    return upTo;
  };
  for (let isLong = true; isLong;) {
    const began = clock.monotonic();
    await pass();
    isLong = clock.monotonic() - began > SHORT_PASS_MS;
  }
  // What was held back is written before, so that the views are held for a moment only.
  await runner.flush();
  return whileHeld(ports, names, random.uuid(), async () => {
    const at = await pass();
    if ((await erasuresIn(store)).length !== erased)
      throw new ErasedMeanwhile(
        'Somebody was erased meanwhile; nothing was replaced. Run it again.',
      );
    return work(at);
  });
};
