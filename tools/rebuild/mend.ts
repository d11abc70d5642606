import {
  MemoryViewStore,
  MemoryViewWriter,
  ReadModelRunner,
  type AnyProjection,
  type Kept,
} from '#platform';
import { meetLive, type OnProgress, type RebuildPorts } from './following.js';
import { projectionsOf } from './rebuild.js';

/** What a stream's return did: documents that were folded again, by view. */
export type Mended = Readonly<Record<string, number>>;

/** Documents that are to be folded again, by view. */
export type Wanted = ReadonlyMap<string, ReadonlySet<string>>;

/** Where the stream is parked. Throws when it is parked nowhere. */
const parkedIn = async (
  { writer }: RebuildPorts,
  stream: string,
  names?: readonly string[],
): Promise<readonly AnyProjection[]> => {
  const found: AnyProjection[] = [];
  for (const projection of projectionsOf(names)) {
    const parked = await writer.parked(projection.name);
    if (parked.some((one) => one.stream === stream)) found.push(projection);
  }
  if (found.length === 0) throw new Error(`${stream} is not parked for any of these views.`);
  return found;
};

/** The documents that a stream's events belong to. Throws what still cannot be read. */
const documentsOf = async (
  { store, codec }: RebuildPorts,
  stream: string,
  projections: readonly AnyProjection[],
): Promise<Wanted> => {
  const events = await Promise.all(
    (await store.read(stream, 0)).map(async (event) => codec.decode(event, true)),
  );
  return new Map(
    projections.map(({ name, keysOf }) => [
      name,
      new Set(events.flatMap((event) => keysOf(event))),
    ]),
  );
};

const isWithin = (one: Wanted, other: Wanted): boolean =>
  [...one].every(([view, keys]) => [...keys].every((key) => other.get(view)?.has(key) === true));

/** Folds only what is wanted, in memory: every event of any stream that belongs to it. */
export const folding = async (
  ports: RebuildPorts,
  of: readonly AnyProjection[],
  wanted: Wanted,
) => {
  const narrowed = of.map((projection): AnyProjection => ({
    ...projection,
    keysOf: (event) =>
      projection.keysOf(event).filter((key) => wanted.get(projection.name)?.has(key) === true),
  }));
  const store = new MemoryViewStore();
  const writer = new MemoryViewWriter(store);
  const runner = new ReadModelRunner(narrowed, { ...ports, writer });
  await runner.start();
  return { store, writer, runner };
};

/**
 * Lets a parked stream go on: its documents are folded again from the beginning of the log, since
 * events of other streams may have moved their guards past those that waited.
 */
export const mend = async (
  ports: RebuildPorts,
  stream: string,
  { names, onProgress }: Readonly<{ names?: readonly string[]; onProgress: OnProgress }>,
): Promise<Mended> => {
  const projections = await parkedIn(ports, stream, names);
  for (;;) {
    const wanted = await documentsOf(ports, stream, projections);
    const { store, writer, runner } = await folding(ports, projections, wanted);
    const chosen = projections.map(({ name }) => name);
    const work = async (): Promise<Mended | undefined> => {
      // More came in the meantime that belongs to more documents: once again.
      if (!isWithin(await documentsOf(ports, stream, projections), wanted)) return undefined;
      const mended: Record<string, number> = {};
      for (const name of chosen) {
        const still = (await writer.parked(name)).find((one) => one.stream === stream);
        if (still) {
          await ports.writer.park(still);
          throw new Error(`${stream} still cannot be folded into ${name}: ${still.error}`);
        }
        const documents: readonly Kept[] = [...store.collection(name).values()];
        await ports.views.mend(name, stream, documents);
        mended[name] = documents.length;
      }
      return mended;
    };
    const mended = await meetLive(ports, runner, chosen, { onProgress, work });
    if (mended) return mended;
  }
};
