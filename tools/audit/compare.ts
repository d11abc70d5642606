import type { Ports } from '#commands';
import {
  connectMongo,
  digestOf,
  MongoViewSwitch,
  MongoViewWriter,
  ReadModelRunner,
} from '#platform';
import { meetLive, REBUILD_BATCH_EVENTS, type RebuildPorts } from '../rebuild/following.js';
import { showProgress } from '../rebuild/progress.js';
import { projectionsOf } from '../rebuild/rebuild.js';
import type { Asked } from './options.js';

/** Documents in memory per view, as when views are rebuilt. */
const CACHE_DOCUMENTS_MAX = 200_000;
const HELD_DOCUMENTS_MAX = 50_000;

/** One view as it is and as the log has it. */
export type Compared = Readonly<{
  view: string;
  documents: number;
  live: string;
  folded: string;
  isEqual: boolean;
}>;

/**
 * Folds read models from the beginning of the log beside the live ones and compares both, while
 * projectors stand still for a moment. Changes nothing that is live.
 */
export const compareViews = async (
  ports: RebuildPorts,
  names: readonly string[] | undefined,
  onProgress: (events: number, position: number, upTo: number) => void,
): Promise<readonly Compared[]> => {
  const projections = projectionsOf(names);
  const chosen = projections.map(({ name }) => name);
  for (const { name } of projections) await ports.views.clear(name);
  const next = ports.views.next();
  const options = {
    batchMax: REBUILD_BATCH_EVENTS,
    cacheMax: CACHE_DOCUMENTS_MAX,
    heldMax: HELD_DOCUMENTS_MAX,
  };
  const runner = new ReadModelRunner(projections, { ...ports, writer: next }, options);
  await runner.start();
  const work = async (): Promise<readonly Compared[]> => {
    await runner.flush();
    const compared: Compared[] = [];
    for (const view of chosen) {
      const live = await digestOf(ports.writer, view);
      const folded = await digestOf(next, view);
      const isEqual = live.sha256 === folded.sha256;
      const { documents } = folded;
      compared.push({ view, documents, live: live.sha256, folded: folded.sha256, isEqual });
    }
    return compared;
  };
  try {
    return await meetLive(ports, runner, chosen, { onProgress, work });
  } finally {
    for (const view of chosen) await ports.views.clear(view);
  }
};

/** `compare`: live read models against the log. */
export const compareCommand = async (ports: Ports, { options }: Asked): Promise<void> => {
  const mongo = connectMongo(ports.config.MONGODB_URL);
  const { onProgress, end } = showProgress(process.stderr);
  try {
    const comparing: RebuildPorts = {
      ...ports,
      writer: new MongoViewWriter(mongo),
      views: new MongoViewSwitch(mongo),
      log: (message) => console.error(message),
    };
    const names = options.view.length > 0 ? options.view : undefined;
    const compared = await compareViews(comparing, names, onProgress);
    end();
    if (compared.some(({ isEqual }) => !isEqual)) process.exitCode = 1;
    if (options.json) return console.log(JSON.stringify(compared));
    for (const { view, documents, live, folded, isEqual } of compared) {
      console.log(`${view}: ${documents} documents, ${isEqual ? 'equal' : 'DIFFERENT'}`);
      console.log(`  live   sha256 ${live}\n  folded sha256 ${folded}`);
    }
    return undefined;
  } finally {
    end();
    await mongo.close();
  }
};
