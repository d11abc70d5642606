import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Scripta } from '#client';
import { residentKiBOf } from '../bench/machine.js';
import { percentilesMs } from '../bench/figures.js';
import { eventually, type Player, type Scene } from './scene.js';
import { onScene, type Case, type Outcome } from './outcome.js';
import { Line, type Trouble } from './line.js';

const mib = (kib: number): number => Math.round(kib / 1_024);

/** Cuts of a connection in one run of a row. */
const CUTS = 10;
/** How long a line flaps at 1 Hz (s). */
const FLAPPING_S = 20;
/** The SDK takes a command as unanswered after 10 s, and sends it again. */
const UNANSWERED_MS = 11_000;

const fdsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
const realtimeOf = ({ platform }: Scene): number => platform.parts.get('realtime')?.pid ?? 0;

const lineOf = ({ line }: Scene) => {
  if (!line) throw new Error('The scene has no line.');
  return line;
};

const cutting =
  (how: 'reset' | 'end') =>
  (seed: number): Promise<Outcome> =>
    onScene(seed, async (scene) => {
      let recoveryMs = 0;
      for (let cut = 0; cut < CUTS; cut += 1) {
        await sleep(scene.chance() * 400);
        lineOf(scene).cut(how);
        recoveryMs = Math.max(recoveryMs, await scene.recovery());
      }
      return { recoveryMs, note: `${CUTS} cuts of all connections` };
    });

/** Nothing gets through on connections that stay, until they are given up. */
const deafening =
  (isDeaf: NonNullable<Trouble['isDeaf']>) =>
  (seed: number): Promise<Outcome> =>
    onScene(seed, async (scene) => {
      const line = lineOf(scene);
      line.trouble({ isDeaf });
      await sleep(1_000);
      // New connections get through; the deaf ones stay deaf.
      line.trouble({});
      const recoveryMs = await scene.recovery();
      const note = 'until the silence is noticed (pings every 25 s, answered within 20 s)';
      return { recoveryMs, note };
    });

const flapping = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const look = () => ({ fds: fdsOf(realtimeOf(scene)), kib: residentKiBOf(realtimeOf(scene)) });
    const before = look();
    for (let second = 0; second < FLAPPING_S; second += 1) {
      lineOf(scene).cut('reset');
      await sleep(1_000);
    }
    const recoveryMs = await scene.recovery();
    const after = look();
    if (after.fds > before.fds + scene.players.length)
      throw new Error(`Descriptors leak: ${before.fds} before, ${after.fds} after.`);
    const memory = `${mib(before.kib)} to ${mib(after.kib)} MiB`;
    const note = `${FLAPPING_S} s; descriptors ${before.fds} to ${after.fds}, memory ${memory}`;
    return { recoveryMs, note };
  });

/** The server's answers vanish, and nothing else: commands are sent again. */
const unanswered = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    let dropped = 0;
    const drops = (message: string): boolean => {
      const isAnswer = /^43\d/u.test(message);
      if (isAnswer) dropped += 1;
      return isAnswer;
    };
    lineOf(scene).trouble({ drops });
    await sleep(UNANSWERED_MS);
    lineOf(scene).trouble({});
    const recoveryMs = await scene.recovery();
    if (dropped === 0) throw new Error('No answer was dropped.');
    return { recoveryMs, note: `${dropped} answers dropped` };
  });

const delaying = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    lineOf(scene).trouble({ delayMs: 300 });
    await scene.flows();
    await sleep(5_000);
    lineOf(scene).trouble({});
    return { recoveryMs: await scene.recovery(), note: 'up to 300 ms each chunk, both ways' };
  });

/** One device reads 10 bytes a second: nobody else is to notice. */
const unread = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    await scene.quiet();
    const others = [...scene.players];
    const door = () => Number(new URL(scene.platform.urls.socket).port);
    const own = await Line.to(door, scene.chance);
    const { rest } = scene.platform.urls;
    await scene.join('Slow', { rest, socket: `http://127.0.0.1:${own.port}` });
    const conversation = await scene.gather(scene.players);
    own.trouble({ bytesPerS: 10 });
    const before = residentKiBOf(realtimeOf(scene));
    const from = scene.deliveredMs.length;
    scene.talk(conversation, 20, others);
    await sleep(8_000);
    const p95 = percentilesMs('delivered', scene.deliveredMs.slice(from))['deliveredP95Ms'] ?? 0;
    const grown = Math.round((residentKiBOf(realtimeOf(scene)) - before) / 1_024);
    own.trouble({});
    own.cut('reset');
    const recoveryMs = await scene.recovery();
    await scene.quiet();
    const note = `memory ${grown} MiB more, delivered to the others p95 ${p95} ms`;
    return { recoveryMs, note };
  });

/** A second connection of the same device: the newest stays, the other is told why it ends. */
const twice = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const [first] = scene.players;
    if (!first) throw new Error('Nobody is here.');
    await scene.quiet();
    // The SDK keeps how far it was shown with its next acknowledgement to the server.
    await sleep(500);
    const { storage, client, phone } = first;
    let reason = '';
    client.on('refused', ({ code }) => {
      reason = code;
    });
    const newer: Player = {
      client: new Scripta({ url: scene.url, storage }),
      storage,
      phone,
      facts: first.facts,
    };
    scene.listen(newer);
    await newer.client.connect();
    await eventually('the older connection ends', () => client.state === 'closed');
    scene.players[0] = newer;
    scene.talk();
    const recoveryMs = await scene.recovery();
    if (newer.client.state !== 'live') throw new Error('The newer connection did not stay.');
    return { recoveryMs, note: `the older one was closed: ${reason}` };
  });

/** A device that was away for long comes back to everything that was said meanwhile. */
const returning = (seed: number): Promise<Outcome> =>
  onScene(seed, async (scene) => {
    const [away] = scene.players;
    if (!away) throw new Error('Nobody is here.');
    await scene.quiet();
    const missed = 1_500;
    await away.client.close();
    scene.players.shift();
    scene.talk(scene.conversations[0], 1);
    await scene.flows(missed);
    const { storage, phone, facts } = away;
    const back: Player = {
      client: new Scripta({ url: scene.url, storage }),
      storage,
      phone,
      facts,
    };
    scene.listen(back);
    const shown = facts.length;
    const beganMs = performance.now();
    const connected = back.client.connect();
    await eventually('the first page comes', () => facts.length > shown);
    const firstMs = Math.round(performance.now() - beganMs);
    await connected;
    const recoveryMs = performance.now() - beganMs;
    scene.players.unshift(back);
    return {
      recoveryMs,
      note: `${facts.length - shown} facts missed, the first after ${firstMs} ms`,
    };
  });

const hot = (seed: number): Promise<Outcome> =>
  onScene(
    seed,
    async (scene) => {
      await scene.quiet();
      const [one, other] = scene.players;
      if (!one || !other) throw new Error('Nobody is here.');
      const [hotOne = ''] = scene.conversations;
      const aside = await scene.gather([one, other]);
      const p95 = async () => {
        const took: number[] = [];
        for (let n = 0; n < 60; n += 1) {
          const beganMs = performance.now();
          await scene.say(one.client, aside);
          took.push(performance.now() - beganMs);
          await sleep(20);
        }
        return percentilesMs('ack', took)['ackP95Ms'] ?? 0;
      };
      const before = await p95();
      // 25 people, each 4 a second: 100 messages a second in all.
      scene.talk(hotOne, 250);
      await sleep(2_000);
      const during = await p95();
      const note = `others' acknowledgements p95 ${before} ms before, ${during} ms beside it`;
      return { recoveryMs: await scene.recovery(), note };
    },
    { people: 25 },
  );

const both = { up: true, down: true };

/** Faults of the network between clients and the socket door, and of clients. */
export const cases: readonly Case[] = (
  [
    ['T28', 'K-R', 'bytes delayed by random times, in order', delaying],
    ['T29', 'K-R', 'cut by RST', cutting('reset')],
    ['T29', 'K-R', 'cut by FIN', cutting('end')],
    ['T29', 'K-R', 'black hole', deafening(both)],
    ['T29', 'K-R', 'only to the server nothing gets through', deafening({ up: true })],
    ['T29', 'K-R', 'only to the client nothing gets through', deafening({ down: true })],
    ['T30', 'K-R', 'cut at 1 Hz', flapping],
    ['T31', 'K-R', 'only answers are dropped', unanswered],
    ['T33', 'R', 'a device comes back to a long backlog', returning],
    ['T36', 'R', 'a client that reads 10 bytes a second', unread],
    ['T48', 'C, R', 'a group of 25 at 100 messages a second', hot],
    ['T49', 'K', 'the same device connects twice', twice],
  ] as const
).map(([row, who, fault, run]): Case => ({ row, who, fault, run }));
