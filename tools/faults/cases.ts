import { appendFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { STORES, type PartName } from '../start/programs.js';
import { cases as networkCases } from './network-cases.js';
import { cases as storeCases } from './store-cases.js';
import { onScene, type Case, type Outcome } from './outcome.js';
import { eventually, type Scene } from './scene.js';

/** Deaths of a part in one run of a row. */
const LIVES = 3;
/** Longest wait for the deaths of a row (ms): restarts back off up to 5 s each. */
const DEATHS_MS_MAX = 60_000;
/** So many passes of a crash point are lived before each death: setting the scene takes fewer. */
const PASSES = 80;

/** Parts die at named places of the code, again and again, under load. */
const dying =
  (...points: readonly string[]) =>
  async (seed: number): Promise<Outcome> => {
    const faults: string[] = [];
    let recoveryMs = 0;
    let deaths = 0;
    for (const point of points) {
      const env = { SCRIPTA_CRASH_AT: `${point}:${PASSES}` };
      const dies = async (scene: Scene) => {
        const before = scene.restarts();
        await eventually(
          `parts die at ${point}`,
          () => scene.restarts() >= before + LIVES,
          DEATHS_MS_MAX,
        );
        recoveryMs = Math.max(recoveryMs, await scene.recovery());
        await scene.quiet();
        deaths += scene.restarts();
        return {};
      };
      const outcome = await onScene(seed, dies, { env });
      faults.push(...outcome.faults.map((fault) => `${point}: ${fault}`));
    }
    return { faults, recoveryMs, note: `${deaths} deaths at ${points.join(', ')}` };
  };

/** Parts are killed wherever they happen to be, and come back. */
const killing =
  (...names: readonly PartName[]) =>
  (seed: number): Promise<Outcome> =>
    onScene(seed, async (scene) => {
      let recoveryMs = 0;
      for (let life = 0; life < LIVES; life += 1) {
        await sleep(scene.chance() * 500);
        const recovering = scene.recovery();
        await Promise.all([scene.kill(...names), recovering]);
        recoveryMs = Math.max(recoveryMs, await recovering);
      }
      return { recoveryMs, note: `${LIVES} times` };
    });

/** People register (a claim of the phone, then the person) while the REST door is killed. */
const registering = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const newcomers = 12;
    const joining = (async () => {
      for (let at = 0; at < newcomers; at += 1) await scene.join(`Newcomer ${at}`);
    })();
    const dyingMeanwhile = (async () => {
      for (let life = 0; life < LIVES; life += 1) {
        await sleep(scene.chance() * 400);
        await scene.kill('command-api');
      }
    })();
    await Promise.all([joining, dyingMeanwhile]);
    const recoveryMs = await scene.recovery(scene.players.slice(0, 4));
    for (const { client, phone } of scene.players.slice(4)) {
      const again = await scene.logIn(client, phone, 'Somebody else');
      if (again !== client.userId) throw new Error(`${phone} is two people.`);
    }
    return { recoveryMs, note: `${newcomers} people registered over ${LIVES} kills` };
  });

/** What a power cut leaves of a write that was under way: the beginning of a frame. */
const tearing = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const folder = join(scene.platform.dataDir, STORES['event-store'].folder);
    let recoveryMs = 0;
    for (let life = 0; life < LIVES; life += 1) {
      // Nothing is written while it stands still, and SIGKILL reaches one that stands still.
      scene.platform.kill('event-store', 'SIGSTOP');
      const names = (await readdir(folder)).filter((name) => name.endsWith('.segment'));
      const torn = Buffer.from(
        Array.from({ length: 1 + Math.floor(scene.chance() * 200) }, () =>
          Math.floor(scene.chance() * 256),
        ),
      );
      await appendFile(join(folder, names.toSorted().at(-1) ?? ''), torn);
      const recovering = scene.recovery();
      await Promise.all([scene.kill('event-store'), recovering]);
      recoveryMs = Math.max(recoveryMs, await recovering);
    }
    return { recoveryMs, note: `${LIVES} torn tails of 1 to 200 bytes` };
  });

/** Parts stand still and wake up where they were. */
const freezing = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    let recoveryMs = 0;
    for (const name of ['command-api', 'projector', 'realtime', 'event-store'] as const) {
      scene.platform.kill(name, 'SIGSTOP');
      await sleep(2_000);
      const recovering = scene.recovery();
      scene.platform.kill(name, 'SIGCONT');
      recoveryMs = Math.max(recoveryMs, await recovering);
    }
    return { recoveryMs, note: '2 s each' };
  });

/** Every row that is tried, in the order of the matrix. */
export const CASES: readonly Case[] = (
  [
    ['T1', 'C', 'kill -9 before a command is validated', dying('command.validated')],
    ['T2', 'C', 'kill -9 after the append was sent', dying('command.append-sent')],
    ['T3', 'C', 'kill -9 after the append, before the answer', dying('command.before-ack')],
    ['T4', 'C', 'kill -9 between two aggregates', registering],
    [
      'T5',
      'P',
      'kill -9 between documents and checkpoint, and after it',
      dying('projector.documents-written', 'projector.checkpoint-written'),
    ],
    ['T7', 'R', 'kill -9 in the middle of a fan-out', dying('realtime.mid-emit')],
    ['T8', 'E', 'kill -9 before and after the sync', dying('log.written', 'log.synced')],
    [
      'T9',
      'all',
      'kill -9 of all at once',
      killing('event-store', 'document-store', 'projector', 'command-api', 'realtime', 'auditor'),
    ],
    ['T10', 'E', 'a torn last write', tearing],
    ['T11', 'C, P, R, E', 'SIGSTOP, SIGCONT', freezing],
  ] as const
)
  .map(([row, who, fault, run]): Case => ({ row, who, fault, run }))
  .concat(storeCases, networkCases)
  .toSorted((one, other) => Number(one.row.slice(1)) - Number(other.row.slice(1)));
