import { PARKED, PROJECTIONS, type Operations, type Parked, type ViewWriter } from '#platform';
import { READER } from '../../apps/realtime/src/parking.js';
import type { OnProgress, RebuildPorts } from '../rebuild/following.js';
import { mend, type Mended } from '../rebuild/mend.js';

/** What looking at parked streams and letting them go on stands on. */
export type ParkedPorts = RebuildPorts & Readonly<{ operations: Operations }>;

/** What became of a replay: documents folded again by view, and whether live delivery goes on. */
export type Replayed = Readonly<{ stream: string; folded: Mended; realtime: boolean }>;

/** What is parked for live delivery. */
const parkedLive = async (operations: Operations): Promise<readonly Parked[]> => {
  const found = await operations.find<Parked>(PARKED, { filter: { view: READER } });
  return found.map(({ _id, ...parked }) => parked);
};

/** Everything that is parked, by whichever reader, in the order of the log. */
export const parkedOf = async (
  { writer, operations }: Readonly<{ writer: ViewWriter; operations: Operations }>,
  stream?: string,
): Promise<readonly Parked[]> => {
  const found = [...(await parkedLive(operations))];
  for (const { name } of PROJECTIONS) found.push(...(await writer.parked(name)));
  return found
    .filter((one) => stream === undefined || one.stream === stream)
    .toSorted((one, other) => one.position - other.position || (one.view < other.view ? -1 : 1));
};

/**
 * Lets a stream go on everywhere once all its events can be read: its documents are folded again,
 * guarded by position, and live delivery takes it up. Throws what still cannot be read; then all
 * stays parked.
 */
export const replay = async (
  ports: ParkedPorts,
  stream: string,
  onProgress: OnProgress,
): Promise<Replayed> => {
  const parked = await parkedOf(ports, stream);
  if (parked.length === 0) throw new Error(`${stream} is not parked.`);
  for (const event of await ports.store.read(stream, 0)) await ports.codec.decode(event, true);
  const views = parked.filter(({ view }) => view !== READER);
  const folded = views.length > 0 ? await mend(ports, stream, { onProgress }) : {};
  const taken = await ports.operations.take(PARKED, `${READER}:${stream}`);
  return { stream, folded, realtime: taken !== undefined };
};
