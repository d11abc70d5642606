import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { z } from 'zod';
import { startPlatform, type Platform } from '../start/platform.js';
import { builtPath, type PartName } from '../start/programs.js';
import { Generator, pidsOf, roomsOf } from './chat.js';
import {
  median,
  percentilesMs,
  rounded,
  type Figures,
  type Measured,
  type Scale,
} from './figures.js';
import { residentKiBOf, watch } from './machine.js';
import { caughtUp, Population, type Person, BENCH_SETTINGS } from './population.js';

/** Connections that are lost at once, and seconds over which they come back. */
const HERD_CONNECTIONS = 5_000;
const HERD_SPREAD_S = 10;
const IDLE_CONVERSATIONS = 20;
const IDLE_ROOM = 10;
/** Memory is looked at this often, for this long (ms); the least counts, for garbage is not held. */
const MEMORY_LOOK_MS = 1_000;
const MEMORY_LOOKS = 20;
/** Messages of history at which growth is measured. */
const SIZES = [1_000, 100_000, 1_000_000] as const;
const QUICK_SIZES = [1_000, 5_000] as const;
/** Messages sent at each size, after some to warm up. */
const GROWTH_MESSAGES = 2_000;
const GROWTH_WARM_UP = 500;
const AUTHORS = 10;
/** A part that was killed is ready again within this (ms). */
const READY_MS_MAX = 30_000;

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

const onPlatform = async (
  measure: (platform: Platform, population: Population) => Promise<Measured>,
): Promise<Measured> => {
  const platform = await startPlatform({
    env: BENCH_SETTINGS,
    print: (part, line) => process.stderr.write(`${part} | ${line}\n`),
  });
  try {
    const population = await Population.open(platform);
    const measured = await measure(platform, population);
    await population.close();
    return measured;
  } finally {
    await platform.stop();
  }
};

const rebuilt = z.object({
  events: z.number(),
  seconds: z.number(),
  views: z.array(z.object({ view: z.string(), parked: z.array(z.string()) })),
});

/** All read models anew from the log, beside the live ones, as an operator does it. */
export const benchRebuild = ({ isQuick }: Scale): Promise<Measured> =>
  onPlatform(async (platform, population) => {
    const people = await population.people(isQuick ? 20 : 200);
    const messages = isQuick ? 100 : 1_000;
    const rooms = roomsOf(people, AUTHORS);
    for (const room of rooms)
      for (let at = 0; at < 4; at += 1) await population.history(room, messages);
    await caughtUp(platform);
    const env = { ...platform.settings };
    const tool = builtPath('tools/rebuild/main.js');
    const end = watch(pidsOf(platform));
    const { stdout } = await promisify(execFile)(process.execPath, [tool, '--json'], { env });
    const usage = end();
    const { events, seconds, views } = rebuilt.parse(
      JSON.parse(stdout.trim().split('\n').at(-1) ?? ''),
    );
    const figures = {
      eventsPerS: rounded(events / seconds),
      events,
      seconds: rounded(seconds),
      withComparisonSeconds: rounded(usage.seconds),
      load1Min: rounded(usage.load),
    };
    const parked = views.flatMap((view) => view.parked);
    return { figures, faults: parked.length > 0 ? [`parked ${parked.join(', ')}`] : [] };
  });

const leastResidentKiB = async (pid: number, looks: number): Promise<number> => {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < looks; look += 1) {
    await pause(MEMORY_LOOK_MS);
    least = Math.min(least, residentKiBOf(pid));
  }
  return least;
};

/** A realtime node dies under many connections: all come back at once, and have what was said. */
export const benchHerd = ({ isQuick }: Scale): Promise<Measured> =>
  onPlatform(async (platform, population) => {
    const count = isQuick ? 100 : HERD_CONNECTIONS;
    const people = await population.people(count);
    const rooms = roomsOf(people, IDLE_ROOM);
    const conversations = await population.rooms(rooms, 'group');
    await caughtUp(platform);
    const seats = people.map(({ userId, token }) => ({ userId, token, conversations: [] }));
    const generator = new Generator();
    try {
      const load = { socketUrl: platform.urls.socket, seats, text: '', warmUpS: 0, seconds: 0 };
      generator.tell({ kind: 'connect', load });
      await generator.hears('connected');
      const back = generator.hears('back');
      generator.tell({ kind: 'come-back', spreadS: HERD_SPREAD_S });
      platform.kill('realtime', 'SIGKILL');
      for (const [at, conversationId] of conversations.entries()) {
        const author = rooms[at]?.[0];
        const path = `/v1/conversations/${conversationId}/messages`;
        if (author) await post(`${platform.urls.public}${path}`, author);
      }
      const { caughtUpMs, facts, again } = (await back).back;
      const pid = platform.parts.get('realtime')?.pid ?? 0;
      const figures = {
        connections: count,
        ...percentilesMs('caughtUp', caughtUpMs),
        connectedAgain: again,
        realtimeMib: rounded(residentKiBOf(pid) / 1_024),
      };
      const missing = conversations.length * IDLE_ROOM - facts;
      return { figures, faults: missing > 0 ? [`${missing} messages did not come`] : [] };
    } finally {
      generator.end();
    }
  });

/** Memory of the socket door per connection that says nothing. */
export const benchIdle =
  (connections: number) =>
  ({ isQuick }: Scale): Promise<Measured> =>
    onPlatform(async (platform, population) => {
      const count = isQuick ? 100 : connections;
      const people = await population.people(count);
      const seats = people.map(({ userId, token }) => ({
        userId,
        token,
        conversations: [] as string[],
      }));
      for (let round = 0; round < IDLE_CONVERSATIONS; round += 1) {
        // Others every round: neighbours at a distance that grows.
        const order = people
          .map((person, at) => ({ person, at: at % (round + 1) }))
          .toSorted((one, other) => one.at - other.at)
          .map(({ person }) => person);
        await population.rooms(roomsOf(order, IDLE_ROOM), 'group');
      }
      await caughtUp(platform);
      const pid = platform.parts.get('realtime')?.pid ?? 0;
      const looks = isQuick ? 2 : MEMORY_LOOKS;
      const before = await leastResidentKiB(pid, looks);
      const generator = new Generator();
      try {
        const load = { socketUrl: platform.urls.socket, seats, text: '', warmUpS: 0, seconds: 0 };
        generator.tell({ kind: 'connect', load });
        await generator.hears('connected');
        const after = await leastResidentKiB(pid, looks);
        const figures = {
          kibPerConnection: rounded((after - before) / count),
          connections: count,
          beforeMib: rounded(before / 1_024),
          afterMib: rounded(after / 1_024),
        };
        return { figures, faults: [] };
      } finally {
        generator.end();
      }
    });

const post = async (url: string, { token }: Person): Promise<number> => {
  const beganMs = performance.now();
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ text: 'What is written remains.' }),
  });
  await response.text();
  if (!response.ok) throw new Error(`A message was answered ${response.status}.`);
  return performance.now() - beganMs;
};

/** Kills a part, and waits until the next life of it is ready. */
const freshLife = async (platform: Platform, name: PartName): Promise<void> => {
  const lives = (): number => platform.parts.get(name)?.restarts ?? 0;
  const isReady = (): boolean => platform.parts.get(name)?.isReady === true;
  const before = lives();
  platform.kill(name, 'SIGKILL');
  const endMs = performance.now() + READY_MS_MAX;
  while (lives() === before || !isReady()) {
    if (performance.now() > endMs) throw new Error(`${name} did not become ready again.`);
    await pause(10);
  }
};

const grown = async (
  platform: Platform,
  population: Population,
  size: number,
): Promise<Figures> => {
  const people = await population.people(AUTHORS);
  const conversationId = await population.history(people, size);
  const other = await population.history(people, 1);
  await caughtUp(platform);
  const [author] = people;
  if (!author) throw new Error('Nobody is there to speak.');
  const urlOf = (conversation: string) =>
    `${platform.urls.rest}/v1/conversations/${conversation}/messages`;
  await freshLife(platform, 'command-api');
  const firstMs = await post(urlOf(conversationId), author);
  await freshLife(platform, 'command-api');
  // A process that has answered something, and does not know this conversation.
  await post(urlOf(other), author);
  const firstOfStreamMs = await post(urlOf(conversationId), author);
  for (let at = 0; at < GROWTH_WARM_UP; at += 1) await post(urlOf(conversationId), author);
  const end = watch(pidsOf(platform));
  const took: number[] = [];
  for (let at = 0; at < GROWTH_MESSAGES; at += 1)
    took.push(await post(urlOf(conversationId), author));
  await caughtUp(platform);
  const { cpu } = end();
  const used = Object.values(cpu).reduce((sum, one) => sum + one, 0);
  return {
    [`coldFirstMsAt${size}`]: rounded(firstMs),
    [`coldStreamMsAt${size}`]: rounded(firstOfStreamMs),
    [`usPerMessageAt${size}`]: rounded(1_000 * median(took)),
    [`cpuUsPerMessageAt${size}`]: rounded((1_000_000 * used) / GROWTH_MESSAGES),
  };
};

/** What a message costs, and the first one on a cold process, after ever longer histories. */
export const benchGrowth = ({ isQuick }: Scale): Promise<Measured> =>
  onPlatform(async (platform, population) => {
    let figures: Figures = {};
    for (const size of isQuick ? QUICK_SIZES : SIZES)
      figures = { ...figures, ...(await grown(platform, population, size)) };
    return { figures, faults: [] };
  });
