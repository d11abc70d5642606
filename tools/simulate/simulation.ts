import type { ConversationItem } from '#client';
import type { ReceiptView } from '#domain';
import {
  digestOf,
  MemoryViewStore,
  MemoryViewWriter,
  PROJECTIONS,
  ReadModelRunner,
  type LogEvent,
  type PlantedBug,
  type Stored,
} from '#platform';
import type { Device } from './devices.js';
import { INVARIANTS, type Evidence } from './invariants.js';
import { namesAreUnique } from './names.js';
import { codecOf } from './nodes.js';
import { LogAt } from './log.js';
import { Play } from './play.js';
import { SimulatedTimer } from './time.js';
import { Truth } from './truth.js';
import { World } from './world.js';

/** After the faults, everything has to come to rest within this virtual time (ms). */
const REST_MS_MAX = 180_000;
/** What comes to rest stays so for as long as a client's slowest timer (ms). */
const QUIET_MS = 3_000;

/** How a run of one seed ended. */
export type Outcome = Readonly<{
  seed: number;
  /** One number for the whole course: equal for equal courses. */
  trace: string;
  /** Invariant and sentence of each violation; none in a sound run. */
  violations: readonly string[];
  history: readonly string[];
  steps: number;
  events: number;
  virtualMs: number;
}>;

/** Runs one seed from the first start to the last check. */
export const simulate = async (seed: number, bug?: PlantedBug): Promise<Outcome> => {
  const world = new World(seed, bug);
  const found: string[] = [];
  world.database.saved = () => found.push(...checkpointsAhead(world));
  const violations: string[] = [];
  try {
    if (await world.begin()) {
      await new Play(world).run();
      world.heal();
      if (!(await atRest(world))) violations.push(`liveness: ${unrestOf(world)}`);
    } else violations.push('liveness: the world did not begin');
    const lists = await listsOf(world);
    const truth = await Truth.of(world.log.events, codecOf(world.ground));
    const rebuilt = await rebuiltDiffers(world);
    const { devices } = world;
    const receipts = receiptsOf(world);
    const evidence: Evidence = { truth, devices, receipts, lists, found: [...found, ...rebuilt] };
    violations.push(...namesAreUnique(truth).map((said) => `unique usernames: ${said}`));
    for (const [name, invariant] of Object.entries(INVARIANTS))
      violations.push(...new Set(invariant(evidence).map((said) => `${name}: ${said}`)));
  } finally {
    world.end();
  }
  const { trace, history, steps, nowMs } = world.course;
  const events = world.log.events.length;
  return { seed, trace, violations, history, steps, events, virtualMs: Math.round(nowMs) };
};

const atRest = async (world: World): Promise<boolean> => {
  const endMs = world.course.nowMs + REST_MS_MAX;
  while (world.course.nowMs < endMs) {
    if (!(await world.course.until(() => world.isAtRest(), endMs - world.course.nowMs)))
      return false;
    await world.course.until(() => false, QUIET_MS);
    if (world.isAtRest()) return true;
  }
  return false;
};

const unrestOf = ({ devices }: World): string => {
  const restless = devices.filter(({ isAtRest }) => !isAtRest);
  const said = restless.map(({ name, client }) => `${name} ${client.state} ${client.pending}`);
  return `no rest in ${REST_MS_MAX} ms (${said.join(', ') || 'read models lag'})`;
};

const listsOf = async ({ devices, course }: World) => {
  const lists = new Map<Device, readonly ConversationItem[]>();
  for (const device of devices) {
    let isDone = false;
    const asking = device.client.conversations();
    asking
      .then(({ items }) => lists.set(device, items))
      .catch((error: unknown) => device.failures.push(`no list: ${String(error)}`))
      .finally(() => {
        isDone = true;
      });
    await course.until(() => isDone, 30_000);
  }
  return lists;
};

const receiptsOf = ({ database }: World): readonly Stored<ReceiptView>[] =>
  // What the view of this name holds.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  [...database.views.collection('receipts').values()] as unknown as Stored<ReceiptView>[];

/** [V15] Documents that a checkpoint says are there, and are not: looked at when it is written. */
const checkpointsAhead = ({ database, log }: World): string[] => {
  const { collections, checkpoints } = database.views;
  const reached = checkpoints.get('history')?.scanned ?? -1;
  const history = collections.get('history');
  const missing = log.events.filter(
    ({ position, stream, id }) =>
      position <= reached && stream.startsWith('conversation-') && !history?.has(id),
  );
  return missing.map(({ stream, revision }) => `the checkpoint is past ${stream}@${revision}`);
};

/** [V13] [V14] Builds the read models anew, every event twice, and compares. */
const rebuiltDiffers = async (world: World): Promise<string[]> => {
  const { ground, log, course } = world;
  const actor = world.api.actor;
  const build = async (batch: number, views: MemoryViewStore) => {
    const writer = new MemoryViewWriter(views);
    const runner = new ReadModelRunner(
      PROJECTIONS,
      {
        store: new LogAt(log, ground.network, actor),
        writer,
        codec: codecOf(ground),
        clock: world.api.clock,
        timer: new SimulatedTimer(course, actor),
        log: () => undefined,
      },
      { batchMax: batch },
    );
    await runner.start();
    const events = log.events.filter(({ stream }) =>
      runner.prefixes.some((prefix) => stream.startsWith(prefix)),
    );
    for (let from = 0; from < events.length; from += batch)
      await runner.apply(twice(events.slice(from, from + batch)));
    await runner.settled();
    return writer;
  };
  const once = await build(64, new MemoryViewStore());
  const live = new MemoryViewWriter(world.database.views);
  const wrong: string[] = [];
  for (const { name } of PROJECTIONS) {
    const [built, stands] = [await digestOf(once, name), await digestOf(live, name)];
    if (built.sha256 !== stands.sha256) wrong.push(`${name} is not what the log makes of it`);
  }
  return wrong;
};

/** Each batch, and the whole of it once more. */
const twice = (events: readonly LogEvent[]): readonly LogEvent[] => [...events, ...events];
