import {
  digestOf,
  PROJECTIONS,
  ReadModelRunner,
  type AnyProjection,
  type ViewDigest,
} from '#platform';
import {
  ErasedMeanwhile,
  meetLive,
  REBUILD_BATCH_EVENTS,
  type OnProgress,
  type RebuildPorts,
} from './following.js';
import { buildingAlone } from './only-one.js';

/** Documents kept in memory per view, about 1 KiB each: the more, the fewer are read back. */
const CACHE_DOCUMENTS_MAX = 200_000;
/** Documents written only once so many have changed: those that change often are written rarely. */
const HELD_DOCUMENTS_MAX = 50_000;

/** What became of one view. */
export type RebuiltView = Readonly<{
  view: string;
  /** What it held, and holds now; absent where they were not compared. */
  before?: ViewDigest;
  after?: ViewDigest;
  /** Streams that could not be folded this time. */
  parked: readonly string[];
}>;

/** What a rebuild did. `events` were folded in `seconds`, switching and comparing apart. */
export type Rebuilt = Readonly<{
  events: number;
  seconds: number;
  views: readonly RebuiltView[];
}>;

/** How to rebuild: which views (all), and whether old and new are compared before the switch. */
export type RebuildOptions = Readonly<{
  names?: readonly string[];
  compare: boolean;
  batchMax?: number;
  onProgress: OnProgress;
}>;

/** The projections of these names. Throws for a name that no view has. */
export const projectionsOf = (names?: readonly string[]): readonly AnyProjection[] => {
  const known = PROJECTIONS.map(({ name }) => name);
  const unknown = names?.filter((name) => !known.includes(name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`There is no view ${unknown.join(', ')}. There are: ${known.join(', ')}.`);
  return PROJECTIONS.filter(({ name }) => !names || names.includes(name));
};

/**
 * Builds views from the beginning of the log beside the live ones, and puts them in their place
 * while projectors stand still for a moment. Nothing is lost if it ends half way.
 */
export const rebuild = async (ports: RebuildPorts, options: RebuildOptions): Promise<Rebuilt> => {
  for (;;) {
    try {
      return await rebuildOnce(ports, options);
    } catch (error) {
      if (!(error instanceof ErasedMeanwhile)) throw error;
      ports.log('Somebody was erased meanwhile: once more, without their words.');
    }
  }
};

const rebuildOnce = async (ports: RebuildPorts, options: RebuildOptions): Promise<Rebuilt> => {
  const projections = projectionsOf(options.names);
  for (const projection of projections) await ports.writer.prepare(projection);
  return buildingAlone(ports, projections, (stillOurs) =>
    buildAndSwap(ports, projections, options, stillOurs),
  );
};

const buildAndSwap = async (
  ports: RebuildPorts,
  projections: readonly AnyProjection[],
  { compare, batchMax = REBUILD_BATCH_EVENTS, onProgress }: RebuildOptions,
  stillOurs: () => Promise<void>,
): Promise<Rebuilt> => {
  const chosen = projections.map(({ name }) => name);
  const next = ports.views.next();
  const options = { batchMax, cacheMax: CACHE_DOCUMENTS_MAX, heldMax: HELD_DOCUMENTS_MAX };
  const runner = new ReadModelRunner(projections, { ...ports, writer: next }, options);
  await runner.start();
  const began = ports.clock.monotonic();
  let folded = began;
  const swap = async (name: string, at: number): Promise<RebuiltView> => {
    const live = (await ports.writer.checkpoints()).get(name);
    const before = compare && live?.scanned === at ? await digestOf(ports.writer, name) : undefined;
    // A projector that was killed may have written documents ahead of its checkpoint.
    const digests =
      before && before.newest <= at ? { before, after: await digestOf(next, name) } : {};
    const parked = (await next.parked(name)).map(({ stream }) => stream);
    await ports.views.swap(name);
    return { view: name, ...digests, parked };
  };
  const views = await meetLive(ports, runner, chosen, {
    onProgress,
    work: async (at) => {
      await runner.flush();
      folded = ports.clock.monotonic();
      await stillOurs();
      const swapped: RebuiltView[] = [];
      for (const name of chosen) swapped.push(await swap(name, at));
      return swapped;
    },
  });
  return { events: runner.events, seconds: (folded - began) / 1_000, views };
};
